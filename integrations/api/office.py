"""The agency's own face, its licences and its staff."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.licensing import STATES
from accounts.models import Agency, Licence, User
from accounts.services import desk, licences
from integrations.api.accounts import PageQuery
from integrations.api.base import Endpoint, answer, made, one
from integrations.api.bodies import Day, Flag, Form, Refuse, Text, Word
from integrations.api.document import example, operation
from integrations.api.terms import Shown, page_of


class AgencyForm(Form):
    """What consumers see."""

    name = Text(max_length=80)
    legal_name = Text(max_length=120)
    address = Text(max_length=300)
    phone = Text(max_length=30)
    email = serializers.EmailField(allow_blank=True, max_length=254)
    hours = Text(max_length=120)
    hours_es = Text(max_length=120, allow_blank=True, required=False, help_text="In Spanish; empty: `hours`.")
    licences = Text(max_length=1000, allow_blank=True)
    time_zone = Text(max_length=40)
    brand = Text(max_length=7, help_text="#rrggbb, readable on our pages (A11Y-12).")
    accent = Text(max_length=7)
    licensed_only = Flag(required=False, help_text="Collect only where the agency is licensed (ST-09).")


class AgencyShown(Shown):
    id = serializers.UUIDField()
    slug = serializers.CharField(help_text="The first part of the consumers' web address.")
    name = serializers.CharField()
    legal_name = serializers.CharField()
    address = serializers.CharField()
    phone = serializers.CharField()
    email = serializers.CharField()
    hours = serializers.CharField()
    hours_es = serializers.CharField()
    licences = serializers.CharField()
    time_zone = serializers.CharField()
    currency = serializers.CharField()
    brand = serializers.CharField()
    accent = serializers.CharField()
    branding_version = serializers.IntegerField()
    licensed_only = serializers.BooleanField(
        help_text="Nothing is collected from who lives in a state without a licence in the list (ST-09)."
    )


class UserShown(Shown):
    id = serializers.IntegerField()
    username = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    last_login = serializers.DateTimeField(allow_null=True)


class InviteForm(Form):
    """Who, as what."""

    username = Text(max_length=150)
    password = Text(max_length=128, help_text="To be changed; a second factor is asked for at the first sign-in.")
    role = Text(max_length=40, help_text="See `roles`.")


class MemberForm(Form):
    """What they may."""

    role = Text(max_length=40)
    is_active = Flag()


class Users(Shown):
    items = UserShown(many=True)
    roles = serializers.ListField(child=serializers.CharField())


class UserQuery(Form):
    """Ask for staff; there are never many."""

    is_active = serializers.ChoiceField(["true", "false"], required=False)


class OneAgency(Endpoint):
    """The agency."""

    @operation("get_agency", "Read the agency", scope="agency:read", answers=AgencyShown, found=False)
    def get(self, request: Request) -> HttpResponse:
        self.asked()
        return answer(AgencyShown.of(Agency.objects.get(pk=self.key.agency_id)))

    @operation(
        "put_agency",
        "Change what consumers see of the agency",
        scope="agency:write",
        form=AgencyForm,
        answers=AgencyShown,
        found=False,
        problems={422: "`refused`: `colour_unreadable`, `time_zone_unknown`."},
    )
    def put(self, request: Request) -> HttpResponse:
        row = Agency.objects.get(pk=self.key.agency_id)
        made(desk.change_agency(agency=row, values=self.read(AgencyForm)))
        return answer(AgencyShown.of(row))


LICENCE = {"state": "NC", "line": "North Carolina permit 112233", "starts_on": "2026-01-01", "ends_on": "2026-12-31"}


class LicenceForm(Form):
    """A licence in one state; no field is left out, so that nothing is lost by a change."""

    state = Word(STATES, unknown="state_unknown")
    line = Text(max_length=200, allow_blank=True, help_text="As it is printed; empty where no licence is needed.")
    starts_on = Day()
    ends_on = Day(allow_null=True, help_text="The last day; null: no end is known.")


class LicenceShown(Shown):
    id = serializers.UUIDField()
    state = serializers.CharField()
    line = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True)


class Licences(Endpoint):
    """All of them."""

    @operation(
        "list_licences",
        "List where the agency is licensed",
        scope="agency:read",
        answers=page_of(LicenceShown),
        query=[PageQuery],
        found=False,
    )
    def get(self, request: Request) -> HttpResponse:
        return self.listed(PageQuery, Licence.objects.all(), LicenceShown.of)

    @operation(
        "add_licence",
        "Write down a licence of the agency",
        scope="agency:write",
        said="Where `licensed_only` of the agency is on, nothing is collected in states without a live one (ST-09).",
        form=LicenceForm,
        answers=LicenceShown,
        status=201,
        once=True,
        found=False,
        problems={422: "`refused`: `ends_too_early`, `state_unknown`."},
        examples=[example("A licence for a year", LICENCE)],
    )
    def post(self, request: Request) -> HttpResponse:
        row = made(licences.write(values=self.read(LicenceForm)))
        return answer(LicenceShown.of(row), status=201)


class OneLicence(Endpoint):
    """One of them; it is ended by its last day, never deleted."""

    @operation("get_licence", "Read a licence", scope="agency:read", answers=LicenceShown)
    def get(self, request: Request, licence_id: UUID) -> HttpResponse:
        self.asked()
        return answer(LicenceShown.of(one(Licence, licence_id)))

    @operation(
        "put_licence",
        "Change a licence, or end it",
        scope="agency:write",
        form=LicenceForm,
        answers=LicenceShown,
        problems={422: "`refused`: `ends_too_early`, `state_unknown`."},
    )
    def put(self, request: Request, licence_id: UUID) -> HttpResponse:
        row = one(Licence, licence_id)
        return answer(LicenceShown.of(made(licences.write(values=self.read(LicenceForm), row=row))))


def user_shown(row: User) -> dict:
    """Show a member of staff."""
    return UserShown.of(row, roles=sorted(group.name for group in row.groups.all()))


class Staff(Endpoint):
    """All of them."""

    @operation("list_users", "List staff", scope="staff:read", answers=Users, query=[UserQuery], found=False)
    def get(self, request: Request) -> HttpResponse:
        asked = self.asked(UserQuery)
        rows = self.members().order_by("pk")
        if "is_active" in asked:
            rows = rows.filter(is_active=asked["is_active"] == "true")
        return answer({"items": [user_shown(row) for row in rows], "roles": sorted(desk.roles())})

    def members(self):
        """Give the staff of the key's agency; users have no fence of the database's own."""
        return User.objects.filter(agency_id=self.key.agency_id).prefetch_related("groups")

    @operation(
        "invite_user",
        "Make a member of staff",
        scope="staff:write",
        form=InviteForm,
        answers=UserShown,
        status=201,
        once=True,
        found=False,
        problems={422: "`refused`: `role_unknown`, a weak password, a name that is taken.", 503: "`unavailable`."},
    )
    def post(self, request: Request) -> HttpResponse:
        given = self.read(InviteForm)
        if desk.invite is None:
            raise Refuse(503, "unavailable", "Nobody can be invited here.")
        row = made(desk.invite(agency=Agency.objects.get(pk=self.key.agency_id), **given))
        return answer(user_shown(row), status=201)


class Member(Endpoint):
    """One of them."""

    def member(self, user_id: int) -> User:
        return one(User.objects.filter(agency_id=self.key.agency_id), user_id)

    @operation("get_user", "Read a member of staff", scope="staff:read", answers=UserShown)
    def get(self, request: Request, user_id: int) -> HttpResponse:
        self.asked()
        return answer(user_shown(self.member(user_id)))

    @operation(
        "put_user",
        "Give a member of staff a role, let them in or keep them out",
        scope="staff:write",
        form=MemberForm,
        answers=UserShown,
        problems={422: "`refused`: `role_unknown`.", 503: "`unavailable`."},
    )
    def put(self, request: Request, user_id: int) -> HttpResponse:
        row = self.member(user_id)
        given = self.read(MemberForm)
        if desk.give_role is None:
            raise Refuse(503, "unavailable", "Roles cannot be given here.")
        made(desk.give_role(user=row, role=given["role"]))
        desk.set_active(user=row, is_active=given["is_active"])
        return answer(user_shown(self.member(user_id)))
