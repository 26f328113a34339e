//! Tokens by username and password: obtained, exchanged, verified, blacklisted, and looked at.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::refresh_cookie;
use crate::auth::gate::unverified;
use crate::auth::grants::{Grants, Pair, Unsigned};
use crate::auth::sign_in::{Code, SignedIn, no_account};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::middleware::known_device;
use crate::model::session::Device;
use crate::model::sign_in::{How, Outcome};
use crate::model::user::User;
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::settings::{ObtainMember, Secret};
use crate::site::Site;

/// A name and a password.
pub struct Credentials {
    /// The name; letters of either case differ.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl Input for Credentials {
    fn read(fields: &mut Fields) -> Self {
        Self {
            username: fields.text("username").required().value(),
            password: fields.text("password").required().value().into(),
        }
    }
}

/// What a sign-in sends: name and password and, where the account has two-factor sign-in, a code of it.
pub struct Entrance {
    /// Name and password.
    pub credentials: Credentials,
    /// The code, if one was sent.
    pub otp: Option<Secret>,
}

impl Input for Entrance {
    fn read(fields: &mut Fields) -> Self {
        let credentials = Credentials::read(fields);
        Self { credentials, otp: fields.text("otp").blank().nullable().value().map(Secret::from) }
    }
}

/// A refresh token in a body.
pub struct GivenRefresh(pub String);

impl Input for GivenRefresh {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("refresh").required().value())
    }
}

/// A token of any kind in a body.
pub struct GivenToken(pub String);

impl Input for GivenToken {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("token").required().value())
    }
}

/// POST `/api/token/`: a pair for a name and a password.
///
/// # Errors
/// 401 for anything that is not both right and active, and with a `code` of its own where a code is missing or wrong; 403 for
/// a page of another site in browser mode; 429, 503 if too many try.
pub async fn obtain(site: Data<Site>, request: HttpRequest, client: Client, body: Body) -> Result<Answer> {
    refresh_cookie::check_origin(&site, &request)?;
    let Entrance { credentials: Credentials { username, password }, otp } = body.read().await?;
    let place = client.place.by(How::Password, &client.device);
    let signed_in = site.sign_in.check(username, password, place).await?.ok_or_else(no_account)?;
    let (begun, user) = begin(&site, signed_in, otp, client.device, |grants, conn, user, device, now| {
        Ok((grants.begin_pair(conn, user, device, now)?, user.clone()))
    })
    .await?;
    let tokens = site.grants.sign_pair(&begun)?;
    let more = more_members(&site.settings.jwt.obtain_response, &user);
    let body = Obtained { tokens: &tokens, more };
    let answer = refresh_cookie::deliver(&site, StatusCode::OK, Some(&tokens.refresh), &body)?;
    with_device(&site, answer, &user)
}

/// In browser mode, the answer with the cookie of a known device beside it.
pub(super) fn with_device(site: &Site, answer: Answer, user: &User) -> Result<Answer> {
    if !site.settings.jwt.refresh_cookie {
        return Ok(answer);
    }
    Ok(answer.with_cookie(known_device::cookie(site, user)?))
}

/// What a sign-in answers: the tokens, and what settings add.
#[derive(Serialize)]
struct Obtained<'a> {
    #[serde(flatten)]
    tokens: &'a Pair,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// The members that `jwt.obtain_response` adds. To add one of your own, add a variant to [`ObtainMember`] and its arm here.
fn more_members(wanted: &[ObtainMember], user: &User) -> Map<String, Value> {
    let member = |member: &ObtainMember| match member {
        ObtainMember::UserId => ("user_id".to_owned(), user.id.into()),
        ObtainMember::Username => ("username".to_owned(), user.username.as_str().into()),
    };
    wanted.iter().map(member).collect()
}

/// Signs the tokens of a new session and answers with them.
pub(super) fn deliver_pair(site: &Site, status: StatusCode, begun: &Unsigned) -> Result<Answer> {
    let pair = site.grants.sign_pair(begun)?;
    refresh_cookie::deliver(site, status, Some(&pair.refresh), &pair)
}

/// Begins a session of one kind or the other for somebody whose password was right.
pub(super) async fn begin<T: Send + 'static>(
    site: &Site,
    signed_in: SignedIn,
    otp: Option<Secret>,
    device: Device,
    kind: fn(&Grants, &mut Conn, &User, &Device, Timestamp) -> Result<T>,
) -> Result<T> {
    let (grants, now) = (site.grants.clone(), site.clock.now());
    let verified_only = site.settings.accounts.require_verified_email;
    // Before the transaction, so that this refusal takes no longer than any other.
    if verified_only && !signed_in.user().email_verified {
        signed_in.refuse(Outcome::Unverified, false);
        return Err(unverified());
    }
    let code = if site.settings.accounts.two_factor_api { Code::Asked(otp) } else { Code::NotAsked };
    let begun = site.db.write(move |conn| {
        let user = signed_in.confirm(conn, &code, now)?.user()?;
        if verified_only && !user.email_verified {
            return Err(unverified());
        }
        grants.note_login(conn, user.id, now)?;
        kind(&grants, conn, &user, &device, now)
    });
    begun.await
}

/// POST `/api/login/`: an access token alone, as the older `djangorestframework-jwt` gave it.
///
/// # Errors
/// 429, 503 if too many try. Anything wrong or missing is one and the same 401 (CONTRACT 22).
pub async fn login(site: Data<Site>, client: Client, body: Body) -> Result<Answer> {
    let refused = || Answer::with(StatusCode::UNAUTHORIZED, &json!({ "error": "Invalid credentials" }));
    let Entrance { credentials: Credentials { username, password }, otp } = match body.read().await {
        Ok(entrance) => entrance,
        Err(error @ Error::TooLarge) => return Err(error),
        Err(_) => return refused(),
    };
    let place = client.place.by(How::Password, &client.device);
    let Some(signed_in) = site.sign_in.check(username, password, place).await? else { return refused() };
    match begin(&site, signed_in, otp, client.device, Grants::begin_pair).await {
        Ok((_, access)) => Answer::ok(&json!({ "token": site.grants.sign(&access)? })),
        Err(Error::Unauthorized(_)) => refused(),
        Err(error) => Err(error),
    }
}

/// POST `/api/token/refresh/`: an access token for a refresh token, and with rotation its successor.
///
/// # Errors
/// 401 with the reason.
pub async fn refresh(site: Data<Site>, client: Client, request: HttpRequest, body: Body) -> Result<Answer> {
    let text = refresh_cookie::given(&site, &request, body).await?;
    let refreshed = site.grants.refresh(&text, client.device).await?;
    refresh_cookie::deliver(&site, StatusCode::OK, refreshed.refresh.as_deref(), &refreshed)
}

/// POST `/api/token/verify/`: whether a token of any kind is good.
///
/// # Errors
/// 401 with the reason; 400 if it was ended before its time (CONTRACT 9).
pub async fn verify(site: Data<Site>, body: Body) -> Result<Answer> {
    let GivenToken(text) = body.read().await?;
    match site.grants.verify_any(&text).await? {
        Ok(_) => Answer::ok(&Map::new()),
        Err(Reject::Blacklisted) => Err(Error::field("non_field_errors", Reject::Blacklisted.message())),
        Err(reject) => Err(reject.into()),
    }
}

/// POST `/api/token/blacklist/`: ends the session of a refresh token.
///
/// # Errors
/// 401 with the reason.
pub async fn blacklist(site: Data<Site>, client: Client, request: HttpRequest, body: Body) -> Result<Answer> {
    let text = refresh_cookie::given(&site, &request, body).await?;
    site.grants.revoke(&text, client.device).await?;
    Ok(refresh_cookie::take_back(&site, Answer::ok(&Map::new())?))
}

/// GET `/api/token/info/`: the caller's own token. Who comes with an API key has none.
///
/// # Errors
/// None of its own.
pub async fn info(site: Data<Site>, caller: Caller) -> Result<Answer> {
    let user = site.settings.jwt.user_id_claim.as_str();
    let Some(claims) = caller.claims() else { return Answer::ok(&json!({ "error": "No token provided" })) };
    let claim = |name: &str| claims.get(name).cloned().map(|value| (name.to_owned(), value));
    let told: Map<_, _> = ["token_type", "exp", "iat", "jti", user].into_iter().filter_map(claim).collect();
    Answer::ok(&told)
}

/// POST `/api/token/check/`: whether a text is a good access token, said as the tutorial's view says it.
///
/// # Errors
/// None of its own: what is wrong with the token is told with a 400.
pub async fn check(site: Data<Site>, body: Body) -> Result<Answer> {
    let refuse =
        |reject: Reject| Answer::with(StatusCode::BAD_REQUEST, &json!({ "valid": false, "error": reject.message() }));
    let text = match body.read::<GivenToken>().await {
        Ok(GivenToken(text)) => text,
        Err(Error::Invalid(_)) => return refuse(Reject::Malformed),
        Err(error) => return Err(error),
    };
    let claims = match site.grants.verify_access(&text).await? {
        Ok(claims) => claims,
        Err(reject) => return refuse(reject),
    };
    match claims.get(&site.settings.jwt.user_id_claim) {
        Some(user) => Answer::ok(&json!({ "valid": true, "user_id": user })),
        None => refuse(Reject::Payload),
    }
}
