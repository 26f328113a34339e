//! Who a user is at a provider of social sign-in. Somebody there is the pair of issuer and subject (OpenID Connect Core §5.7);
//! an address can change hands, so it only ever helps to find an account once.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{social_accounts, user_roles, users};
use crate::error::Result;
use crate::model::user::{User, is_person};

/// A row of `social_accounts`: somebody at a provider, and the user who that is here.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct SocialAccount {
    /// Never given twice.
    pub id: i64,
    /// Who that is here.
    pub user_id: i64,
    /// The provider's name in the settings, when it was linked.
    pub provider: String,
    /// Who issues the provider's tokens.
    pub issuer: String,
    /// Who it is there; compared to the letter.
    pub subject: String,
    /// When the two became one.
    pub linked_at: Timestamp,
}

/// Those who have an address, as far as it helps to decide whose it is: at most two of each kind.
pub struct Holders {
    /// Active accounts that have it verified.
    pub verified: Vec<User>,
    /// Whether an account that is switched off has it verified.
    pub has_barred: bool,
    /// Active accounts that merely say it is theirs.
    pub unverified: Vec<User>,
}

/// The user who is `subject` at `issuer`.
pub fn owner(conn: &mut Conn, issuer: &str, subject: &str) -> Result<Option<User>> {
    Ok(users::table
        .inner_join(social_accounts::table)
        .filter(social_accounts::issuer.eq(issuer))
        .filter(social_accounts::subject.eq(subject))
        .select(users::all_columns)
        .first(conn)
        .optional()?)
}

/// The accounts that have exactly this address.
pub fn holders(conn: &mut Conn, email: &str) -> Result<Holders> {
    let having = || users::table.filter(users::email.eq(email)).order(users::id).limit(2);
    let barred =
        users::table.filter(users::email.eq(email)).filter(users::email_verified).filter(users::is_active.eq(false));
    Ok(Holders {
        verified: having().filter(users::email_verified.and(is_person())).load(conn)?,
        has_barred: diesel::select(diesel::dsl::exists(barred)).get_result(conn)?,
        unverified: having().filter(users::email_verified.eq(false)).filter(is_person()).load(conn)?,
    })
}

/// Whether a user may do more than others: superuser, staff, or member of a role.
pub fn is_trusted(conn: &mut Conn, user: &User) -> Result<bool> {
    let roles: i64 = user_roles::table.filter(user_roles::user_id.eq(user.id)).count().get_result(conn)?;
    Ok(user.is_superuser || user.is_staff || roles > 0)
}

/// Whether a user is somebody at `issuer` already.
pub fn is_known_at(conn: &mut Conn, user: i64, issuer: &str) -> Result<bool> {
    let links =
        social_accounts::table.filter(social_accounts::user_id.eq(user)).filter(social_accounts::issuer.eq(issuer));
    Ok(diesel::select(diesel::dsl::exists(links)).get_result(conn)?)
}

/// Says that `subject` at `issuer` is this user.
pub fn link(conn: &mut Conn, user: i64, provider: &str, issuer: &str, subject: &str, now: Timestamp) -> Result<()> {
    diesel::insert_into(social_accounts::table)
        .values((
            social_accounts::user_id.eq(user),
            social_accounts::provider.eq(provider),
            social_accounts::issuer.eq(issuer),
            social_accounts::subject.eq(subject),
            social_accounts::linked_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes every link of a user away; returns how many there were.
pub fn unlink_all(conn: &mut Conn, user: i64) -> Result<usize> {
    Ok(diesel::delete(social_accounts::table.filter(social_accounts::user_id.eq(user))).execute(conn)?)
}

/// The links of a user, oldest first.
pub fn of_user(conn: &mut Conn, user: i64) -> Result<Vec<SocialAccount>> {
    Ok(social_accounts::table.filter(social_accounts::user_id.eq(user)).order(social_accounts::id).load(conn)?)
}
