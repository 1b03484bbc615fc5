"""The card field in a real browser, inside a merchant's page with a strict content policy."""

import datetime as dt
import http.server
import threading
from pathlib import Path

import pytest

from .sandbox_program import Program

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here"),
]

PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Pay</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/page.css">
<script src="{processor}/field.js"></script><script src="/page.js" defer></script></head><body><main>
<p class="agency">Northfield Recovery</p><h1>{title}</h1><p class="sum">$50.00</p>
<form><div id="card"></div><button>{button}</button><p role="status"></p></form></main></body></html>"""
STYLE = """body { background: #f6f5f1; color: #1d2327; font: 19px/1.45 system-ui, sans-serif; margin: 0 }
main { background: #fff; margin: 16px auto; max-width: 560px; padding: 20px 16px }
h1 { font-size: 26px; margin: 0 0 4px } .sum { font-size: 30px; font-variant-numeric: tabular-nums; margin: 0 0 16px }
.agency { color: #55606a; margin: 0 0 16px } #card { margin: 0 -4px 16px }
button { background: #1f5f5b; border: 0; border-radius: 6px; color: #fff; font: inherit; font-weight: 600;
min-height: 48px; width: 100% }
body.dark { background: #12171a; color: #eef1f2 } .dark main { background: #1b2125 }"""
SCRIPT = """
const dark = location.search.includes("dark");
document.body.classList.toggle("dark", dark);
window.stripe = Stripe("pk_test_field", { locale: document.documentElement.lang });
window.elements = stripe.elements({
  mode: "payment", amount: 5000, currency: "usd", setupFutureUsage: "off_session",
  appearance: { variables: dark ? { colorBackground: "#1b2125" } : { colorPrimary: "#1f5f5b" } },
});
const element = elements.create("payment", { fields: { billingDetails: "never" } });
element.on("ready", () => { document.body.dataset.ready = "yes"; });
element.on("change", (event) => { document.body.dataset.complete = event.complete; });
element.mount("#card");
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const submitted = await elements.submit();
  const answer = submitted.error ? submitted : await stripe.createConfirmationToken({
    elements, params: { payment_method_data: { billing_details: { address: { postal_code: "60601" } } } },
  });
  document.querySelector("[role=status]").textContent = answer.error ? answer.error.code : answer.confirmationToken.id;
});
"""
TEXTS = {
    "en": {"title": "Pay by card", "button": "Pay $50.00"},
    "es": {"title": "Pagar con tarjeta", "button": "Pagar $50.00"},
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Program(tmp_path_factory.mktemp("processor"))
    running.merchant("field")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def site(program):
    """Serve a merchant's page from another origin, with the policy that the portal has."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            language = "es" if path == "/es" else "en"
            body, kind = {
                "/page.css": (STYLE, "text/css"),
                "/page.js": (SCRIPT, "text/javascript"),
            }.get(path, (PAGE.format(processor=program.url, language=language, **TEXTS[language]), "text/html"))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'self'; script-src 'self' {program.url}; frame-src {program.url}; style-src 'self'",
            )
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def merchant(program):
    from .sandbox_program import Merchant

    return Merchant(program, "field")


@pytest.fixture
def opened(chromium, site):
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)

    def go(path="/", width=390, clock=False):
        if clock:
            page.clock.install()
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(site + path)
        page.wait_for_selector("body[data-ready=yes]")
        return page

    yield go
    context.close()


def field(page):
    return page.frame_locator("#card iframe")


def fill(page, number="4242424242424242", expiry="1234", cvc="123"):
    frame = field(page)
    frame.locator("#number").press_sequentially(number)
    frame.locator("#expiry").press_sequentially(expiry)
    frame.locator("#cvc").press_sequentially(cvc)


def status(page):
    told = page.locator("[role=status]:not(:empty)")
    told.wait_for()
    return told.text_content()


def resting(locator):
    """Give the place of something once it stood still for a tenth of a second, as the field above finds its height."""
    box = None
    while box != (box := locator.bounding_box()):
        locator.page.wait_for_timeout(100)
    return box


def test_a_typed_card_becomes_a_token_that_pays_and_the_page_never_sees_the_number(opened, merchant):
    page = opened()
    fill(page, "5200828282828210")
    assert field(page).locator("#number").input_value() == "5200 8282 8282 8210"
    assert field(page).locator("#expiry").input_value() == "12 / 34"
    assert field(page).locator("#brand").text_content() == "Mastercard"
    page.get_by_role("button").click()
    token = status(page)
    preview = merchant.v1.confirmation_tokens.retrieve(token).payment_method_preview
    assert (preview.card.brand, preview.card.funding, preview.card.last4) == ("mastercard", "debit", "8210")
    assert preview.billing_details.address.postal_code == "60601"
    # Random ids may hold any four digits; the number itself, or its middle, is nowhere.
    assert "82828282" not in page.content().replace(" ", "")
    intent = merchant.v1.payment_intents.create(
        {
            "amount": 50_00,
            "currency": "usd",
            "confirm": True,
            "confirmation_token": token,
            "allowed_payment_method_types": ["card"],
        }
    )
    assert intent.status == "succeeded"
    assert page.faults == []


def test_mistakes_are_said_beside_the_input_and_no_token_is_made(opened):
    page = opened()
    fill(page, "4242424242424241", "0120", "12")
    page.get_by_role("button").click()
    assert status(page) == "invalid_number"
    frame = field(page)
    assert frame.locator("#number").get_attribute("aria-invalid") == "true"
    assert frame.locator("#number-error").text_content() == "Check the card number: a digit is wrong"
    assert frame.locator("#expiry-error").text_content() == "This card has expired"
    assert frame.locator("#cvc-error").text_content() == "Enter the security code"


def test_a_press_that_leaves_the_field_meets_its_button_though_a_mistake_is_said_above_it(opened):
    page = opened(clock=True)
    fill(page, "4242424242424242", "1234", "12")
    box = resting(page.get_by_role("button"))
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)  # by its edge, on a hurried thumb
    # The clock stands, so that the press takes as long as a thumb's on a busy machine too.
    page.clock.pause_at(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5))
    page.mouse.down()
    page.clock.run_for(100)
    page.mouse.up()
    assert status(page) == "incomplete_cvc"


def test_the_field_speaks_spanish(opened):
    page = opened("/es")
    frame = field(page)
    assert frame.locator("label[for=number]").text_content() == "Número de tarjeta"
    assert frame.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button").click()
    assert status(page) == "incomplete_number"
    assert frame.locator("#number-error").text_content() == "Escriba el número completo de la tarjeta"


def test_each_input_is_labelled_known_to_autofill_and_large_enough_to_touch(opened):
    page = opened(width=320)
    for name, purpose, label in (
        ("number", "cc-number", "Card number"),
        ("expiry", "cc-exp", "Expiry date"),
        ("cvc", "cc-csc", "Security code"),
    ):
        entry = field(page).get_by_label(label)
        assert entry.get_attribute("id") == name
        assert entry.get_attribute("autocomplete") == purpose
        assert entry.get_attribute("inputmode") == "numeric"
        assert entry.bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(
    ("choice", "expected"), [("Complete", "succeeded"), ("Fail", "payment_intent_authentication_failure")]
)
def test_three_d_secure_opens_a_dialog_and_tells_the_page(opened, merchant, choice, expected):
    page = opened()
    intent = merchant.v1.payment_intents.create(
        {
            "amount": 50_00,
            "currency": "usd",
            "confirm": True,
            "confirmation_token": merchant.token("4000000000003220"),
            "allowed_payment_method_types": ["card"],
        }
    )
    page.evaluate(
        "secret => { stripe.handleNextAction({ clientSecret: secret }).then((answer) => {"
        "document.body.dataset.answer = answer.error ? answer.error.code : answer.paymentIntent.status }) }",
        intent.client_secret,
    )
    page.frame_locator("dialog iframe").get_by_role("button", name=choice).click()
    page.wait_for_selector("body[data-answer]")
    assert page.locator("body").get_attribute("data-answer") == expected
    assert page.locator("dialog").count() == 0
    final = merchant.v1.payment_intents.retrieve(intent.id)
    assert final.status == ("succeeded" if choice == "Complete" else "requires_payment_method")
