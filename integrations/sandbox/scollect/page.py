def render(host) -> str:
    return "<h1>SCollect</h1>"
