//! Roles: named sets of permissions, and who holds them.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{role_permissions, roles, user_roles};
use crate::db::{Conn, sql};
use crate::error::{Error, Result};
use crate::model::user::Taken;

/// A row of `roles`.
#[derive(Clone, Debug, Queryable)]
pub struct Role {
    /// Never given twice.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last change: the row's version.
    pub updated_at: Timestamp,
}

/// The role with this id.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Role>> {
    Ok(roles::table.find(id).first(conn).optional()?)
}

/// The role of this name.
pub fn by_name(conn: &mut Conn, name: &str) -> Result<Option<Role>> {
    Ok(roles::table.filter(roles::name.eq(name)).first(conn).optional()?)
}

/// All roles, by name.
pub fn all(conn: &mut Conn) -> Result<Vec<Role>> {
    Ok(roles::table.order(roles::name).load(conn)?)
}

/// Makes a role with its permissions (`area.verb`); a name that is taken is the inner error, and changes nothing.
pub fn insert(
    conn: &mut Conn,
    name: &str,
    description: &str,
    permissions: &[String],
    now: Timestamp,
) -> Result<Result<Role, Taken>> {
    let row = (
        roles::name.eq(name),
        roles::description.eq(description),
        roles::created_at.eq(now),
        roles::updated_at.eq(now),
    );
    let made: QueryResult<Role> = conn.transaction(|conn| {
        let role: Role =
            diesel::insert_into(roles::table).values(row).returning(roles::all_columns).get_result(conn)?;
        allow(conn, role.id, permissions)?;
        Ok(role)
    });
    one_of_its_name(made)
}

/// Changes a role and replaces its permissions; a name that is taken is the inner error, and changes nothing.
pub fn update(
    conn: &mut Conn,
    id: i64,
    name: &str,
    description: &str,
    permissions: &[String],
    now: Timestamp,
) -> Result<Result<Role, Taken>> {
    let row = (roles::name.eq(name), roles::description.eq(description), roles::updated_at.eq(now));
    let made: QueryResult<Role> = conn.transaction(|conn| {
        let role: Role =
            diesel::update(roles::table.find(id)).set(row).returning(roles::all_columns).get_result(conn)?;
        diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(id))).execute(conn)?;
        allow(conn, id, permissions)?;
        Ok(role)
    });
    one_of_its_name(made)
}

fn one_of_its_name(made: QueryResult<Role>) -> Result<Result<Role, Taken>> {
    match made {
        Ok(role) => Ok(Ok(role)),
        Err(error) if sql::taken(&error, "roles", "name") => Ok(Err(Taken)),
        Err(error) => Err(Error::from(error)),
    }
}

fn allow(conn: &mut Conn, role: i64, permissions: &[String]) -> QueryResult<()> {
    for permission in permissions {
        diesel::insert_into(role_permissions::table)
            .values((role_permissions::role_id.eq(role), role_permissions::permission.eq(permission)))
            .execute(conn)?;
    }
    Ok(())
}

/// Deletes a role; whoever held it no longer does.
pub fn delete(conn: &mut Conn, id: i64) -> Result<()> {
    diesel::delete(roles::table.find(id)).execute(conn)?;
    Ok(())
}

/// The permissions of a role, as `area.verb`.
pub fn permissions(conn: &mut Conn, id: i64) -> Result<Vec<String>> {
    Ok(role_permissions::table
        .filter(role_permissions::role_id.eq(id))
        .order(role_permissions::permission)
        .select(role_permissions::permission)
        .load(conn)?)
}

/// The names of the roles that hold a permission.
pub fn names_with(conn: &mut Conn, permission: &str) -> Result<Vec<String>> {
    Ok(roles::table
        .inner_join(role_permissions::table)
        .filter(role_permissions::permission.eq(permission))
        .order(roles::name)
        .select(roles::name)
        .load(conn)?)
}

/// The permissions of every role, as `area.verb`; those with none are left out.
pub fn all_permissions(conn: &mut Conn) -> Result<HashMap<i64, Vec<String>>> {
    let columns = (role_permissions::role_id, role_permissions::permission);
    let mut all: HashMap<i64, Vec<String>> = HashMap::new();
    for (role, permission) in role_permissions::table.select(columns).load(conn)? {
        all.entry(role).or_default().push(permission);
    }
    Ok(all)
}

/// The roles of a user, by name.
pub fn of_user(conn: &mut Conn, user: i64) -> Result<Vec<Role>> {
    Ok(roles::table
        .inner_join(user_roles::table)
        .filter(user_roles::user_id.eq(user))
        .order(roles::name)
        .select(roles::all_columns)
        .load(conn)?)
}

/// The ids of the users who hold a role.
pub fn holders(conn: &mut Conn, role: i64) -> Result<Vec<i64>> {
    Ok(user_roles::table.filter(user_roles::role_id.eq(role)).select(user_roles::user_id).load(conn)?)
}

/// How many users hold each of these roles; those held by nobody are left out.
pub fn holder_counts(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, i64>> {
    let counts: Vec<(i64, i64)> = user_roles::table
        .filter(user_roles::role_id.eq_any(ids.to_vec()))
        .group_by(user_roles::role_id)
        .select((user_roles::role_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(counts.into_iter().collect())
}

/// Gives a role to a user; `false` if the user held it already.
pub fn give(conn: &mut Conn, role: i64, user: i64, now: Timestamp) -> Result<bool> {
    let held = user_roles::table.find((user, role));
    if diesel::select(diesel::dsl::exists(held)).get_result(conn)? {
        return Ok(false);
    }
    let row = (user_roles::user_id.eq(user), user_roles::role_id.eq(role), user_roles::granted_at.eq(now));
    diesel::insert_into(user_roles::table).values(row).execute(conn)?;
    Ok(true)
}

/// Takes a role from a user; `false` if the user did not hold it.
pub fn take(conn: &mut Conn, role: i64, user: i64) -> Result<bool> {
    Ok(diesel::delete(user_roles::table.find((user, role))).execute(conn)? == 1)
}
