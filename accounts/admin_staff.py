"""Who works here: an agency's users, the roles they may give each other, and what they changed in the settings."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.desk import Desk
from accounts.models import User
from accounts.scope import ALL_AGENCIES, acting
from accounts.spans import MomentsFilter


def own(request, groups):
    """Keep the roles whose every permission this person has: nobody gives more than they have."""
    if request.user.is_superuser:
        return groups
    have = Permission.objects.filter(group__user=request.user)
    return groups.exclude(permissions__in=Permission.objects.exclude(pk__in=have))


class NewStaffForm(UserCreationForm):
    """Make a member of staff; the platform says of which agency, an agency's administrator cannot."""

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "agency", "groups"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "agency" in self.fields:
            self.fields["agency"].required = True


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, Desk):
    """The agency's own users: its administrator invites them and gives them roles, never more."""

    form = UserChangeForm
    add_form = NewStaffForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "agency", "role_names", "is_active", "last_login"]
    list_filter = ["is_active"]
    filter_horizontal: list[str] = []
    ordering = ["username"]
    actions_detail = ["reset_factors"]
    add_fieldsets = [
        (None, {"fields": ["username", "password1", "password2"]}),
        (_("Person"), {"fields": [("first_name", "last_name")]}),
        (_("Roles"), {"fields": ["agency", "groups"]}),
    ]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": [("first_name", "last_name"), "email"]}),
        (_("Roles"), {"fields": ["agency", "is_active", "groups"]}),
        (_("Dates"), {"fields": [("last_login", "date_joined")]}),
    ]

    @display(description=_("roles"))
    def role_names(self, user) -> str:
        return ", ".join(group.name for group in user.groups.all()) or (_("platform") if user.is_superuser else "-")

    def get_queryset(self, request):
        users = super().get_queryset(request).select_related("agency").prefetch_related("groups")
        return users if acting() == ALL_AGENCIES else users.filter(agency=acting() or None)

    def get_list_display(self, request):
        return [name for name in self.list_display if name != "agency" or acting() == ALL_AGENCIES]

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if acting() == ALL_AGENCIES:
            return fieldsets
        return [
            (title, options | {"fields": [name for name in options["fields"] if name != "agency"]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request, obj=None):
        fixed = ["last_login", "date_joined"]
        if obj is not None:
            fixed.append("agency")
        if obj is not None and obj.pk == request.user.pk:
            fixed += ["is_active", "groups"]
        return fixed

    def formfield_for_manytomany(self, db_field, request=None, **kwargs):
        if db_field.name == "groups":
            kwargs |= {"queryset": own(request, Group.objects.order_by("name")), "label": _("Roles"), "help_text": ""}
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request, obj=None) -> bool:
        """Let nobody change whoever may do more than they may themselves, nor a platform superuser from here."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:
            return True
        return not obj.is_superuser and obj.groups.count() == own(request, obj.groups).count()

    def save_model(self, request, obj, form, change) -> None:
        if not change:
            obj.is_staff = True
            if not request.user.is_superuser:
                obj.agency = request.user.agency
        super().save_model(request, obj, form, change)

    def has_reset_permission(self, request, object_id=None) -> bool:
        return request.user.has_perm("accounts.reset_user") and str(request.user.pk) != str(object_id)

    @action(description=_("Remove second factor"), permissions=["reset"], icon="phonelink_erase")
    def reset_factors(self, request, object_id):
        user = self.row(request, object_id)
        if not self.has_change_permission(request, user):
            raise Http404
        return self.ask(
            request,
            user,
            title=_("Remove the second factor of %(name)s") % {"name": user.get_username()},
            text=_("For a lost phone or key. They set up a new one at the next sign-in."),
            button=_("Remove"),
            do=lambda form: self._reset(request, user),
            done=_("The second factor is removed."),
        )

    def _reset(self, request, user) -> None:
        user.authenticator_set.all().delete()
        self.log_change(request, user, "Removed the second factor.")


admin.site.unregister(Group)


@admin.register(LogEntry)
class StaffChangeAdmin(Desk):
    """What staff changed in the settings, by whom and when; facts have their own events."""

    list_display = ["action_time", "user", "content_type", "object_repr", "what"]
    list_filter = [("action_time", MomentsFilter)]
    fields = readonly_fields = ["action_time", "user", "content_type", "object_repr", "what"]
    ordering = ["-id"]

    @display(description=_("change"))
    def what(self, entry) -> str:
        return entry.get_change_message()

    def get_queryset(self, request):
        entries = super().get_queryset(request).select_related("user", "content_type")
        return entries if acting() == ALL_AGENCIES else entries.filter(user__agency=acting() or None)

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False
