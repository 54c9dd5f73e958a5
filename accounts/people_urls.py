from django.urls import include, path

from . import invitation_views, people_views, project_views, role_views

app_name = "people"

_people = [
    path("", people_views.member_list, name="member-list"),
    path("rights/", people_views.own_rights, name="own-rights"),
    path("members/<slug:code>/", people_views.member_detail, name="member-detail"),
    path("members/<slug:code>/role/", people_views.member_role, name="member-role"),
    path("members/<slug:code>/remove/", people_views.member_remove, name="member-remove"),
    path("invitations/<slug:code>/revoke/", invitation_views.invitation_revoke, name="invitation-revoke"),
    path("roles/<slug:code>/", role_views.role_edit, name="role-edit"),
    path("roles/<slug:code>/delete/", role_views.role_delete, name="role-delete"),
]
_organizations = [
    path("invite/", invitation_views.organization_invite, name="organization-invite"),
    path("roles/", role_views.role_list, name="role-list"),
    path("roles/new/", role_views.role_create, name="role-create"),
    path("projects/new/", project_views.project_create, name="project-create"),
    path("settings/", project_views.organization_settings, name="organization-settings"),
]
_projects = [
    path("", project_views.project_detail, name="project-detail"),
    path("rename/", project_views.project_rename, name="project-rename"),
    path("add/", project_views.project_add, name="project-add"),
    path("invite/", invitation_views.project_invite, name="project-invite"),
    path("members/<slug:member>/", project_views.project_member, name="project-member"),
    path("members/<slug:member>/role/", project_views.project_member_role, name="project-member-role"),
    path("members/<slug:member>/remove/", project_views.project_member_remove, name="project-member-remove"),
]
urlpatterns = [
    path("people/", include(_people)),
    path("organizations/<slug:organization>/", include(_organizations)),
    path("projects/<slug:code>/", include(_projects)),
    path(
        "projects/invitations/<slug:code>/revoke/",
        invitation_views.project_invitation_revoke,
        name="project-invitation-revoke",
    ),
    path("invitation/", invitation_views.invitation_accept, name="invitation"),
    path("invitation/<str:token>/", invitation_views.invitation_open, name="invitation-open"),
]
