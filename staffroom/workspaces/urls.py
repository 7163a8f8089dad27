"""Pages of organizations and invitations: those below a context, and those outside every one."""

from django.urls import path

from .views import (
    audit,
    avatars,
    bulk,
    contexts,
    deletion,
    farewells,
    help,
    invitations,
    keys,
    organizations,
    people,
    security,
)

context_pages = [
    path("contexts", contexts.switcher, name="contexts"),
    path("organization", organizations.organization, name="organization"),
    path("organization/name", organizations.rename, name="organization_name"),
    path("organization/slug", organizations.move, name="organization_slug"),
    path("organization/slug/check", organizations.slug_check_here, name="organization_slug_check"),
    path("organization/avatar", avatars.change, name="organization_avatar"),
    path("organization/avatar/removal", avatars.remove, name="organization_avatar_removal"),
    path("organization/members/<uuid:user_id>/role", people.role, name="member_role"),
    path("organization/members/<uuid:user_id>/removal", people.removal, name="member_removal"),
    path("organization/departure", people.departure, name="organization_departure"),
    path("organization/ownership", people.ownership_, name="organization_ownership"),
    path("organization/security", security.security, name="organization_security"),
    path("organization/security/requirement", security.requirement, name="second_factor_requirement"),
    path("organization/security/waiver", security.waiver, name="second_factor_waiver"),
    path("organization/keys", keys.organization, name="organization_keys"),
    path("organization/keys/<uuid:key_id>/revocation", keys.revocation, name="key_revocation"),
    path("organization/deletion", deletion.closing, name="organization_deletion"),
    path("organization/audit", audit.log, name="organization_audit"),
    path("organization/audit/verification", audit.verification, name="audit_verification"),
    path("organization/audit/table", audit.table, name="audit_table"),
    path("organization/invitations", organizations.invite, name="organization_invitations"),
    path("organization/invitations/bulk", bulk.bulk, name="organization_invitations_bulk"),
    path(
        "organization/invitations/<uuid:invitation_id>/resend", organizations.resend, name="invitation_resend"
    ),
    path(
        "organization/invitations/<uuid:invitation_id>/revoke", organizations.revoke, name="invitation_revoke"
    ),
]

urlpatterns = [
    path("avatars/<slug:name>.webp", avatars.picture, name="avatar"),
    path("organizations/new", organizations.new, name="organization_new"),
    path("organizations/second-factor", security.turned_away, name="turned_away"),
    path("accounts/keys", keys.mine, name="account_keys"),
    path("accounts/keys/new", keys.new, name="account_key_new"),
    path("accounts/keys/<uuid:key_id>/revocation", keys.own_revocation, name="account_key_revocation"),
    path("organizations/slug", organizations.slug_check, name="slug_check"),
    path("organizations/<uuid:workspace_id>/deletion", deletion.grace, name="deletion"),
    path(
        "organizations/<uuid:workspace_id>/deletion/cancellation", deletion.cancellation, name="cancellation"
    ),
    path("organizations/<uuid:workspace_id>/deletion/erasure", deletion.erasure, name="erasure"),
    path("accounts/deletion", farewells.account, name="account_deletion"),
    path("help/roles", help.roles, name="help_roles"),
    path("invitations/<uuid:invitation_id>/accept", invitations.accept_mine, name="invitation_accept_mine"),
    path(
        "invitations/<uuid:invitation_id>/decline", invitations.decline_mine, name="invitation_decline_mine"
    ),
    path("invitations/<str:token>", invitations.invitation, name="invitation"),
    path("invitations/<str:token>/accept", invitations.accept, name="invitation_accept"),
    path("invitations/<str:token>/decline", invitations.decline, name="invitation_decline"),
    path("invitations/<str:token>/account", invitations.sign_up, name="invitation_sign_up"),
    path("invitations/<str:token>/switch", invitations.switch, name="invitation_switch"),
]
