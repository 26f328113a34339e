//! What of an object is compared before and after an act, under the names of the API. Never a secret.

use crate::db::Conn;
use crate::error::Result;
use crate::model::role::{self, Role};
use crate::model::user::{self, User};

/// The fields of an object and their values, as text.
pub type Fields = Vec<(&'static str, String)>;

/// The fields of a user, roles among them.
pub fn user_fields(conn: &mut Conn, user: &User) -> Result<Fields> {
    let mut roles = user::role_names(conn, user.id)?;
    roles.sort();
    Ok(vec![
        ("username", user.username.clone()),
        ("email", user.email.clone()),
        ("email_verified", user.email_verified.to_string()),
        ("first_name", user.first_name.clone()),
        ("last_name", user.last_name.clone()),
        ("phone_number", user.phone_number.clone()),
        ("date_of_birth", user.date_of_birth.map(|day| day.to_string()).unwrap_or_default()),
        ("is_active", user.is_active.to_string()),
        ("is_staff", user.is_staff.to_string()),
        ("is_superuser", user.is_superuser.to_string()),
        ("is_premium", user.is_premium.to_string()),
        ("time_zone", user.time_zone.clone().unwrap_or_default()),
        ("is_service", user.is_service.to_string()),
        ("roles", roles.join(", ")),
    ])
}

/// The fields of a role, permissions among them.
pub fn role_fields(conn: &mut Conn, role: &Role) -> Result<Fields> {
    let mut permissions = role::permissions(conn, role.id)?;
    permissions.sort();
    let fields = [("name", &role.name), ("description", &role.description), ("permissions", &permissions.join(", "))];
    Ok(fields.map(|(name, value)| (name, value.clone())).to_vec())
}
