//! Settings of simplejwt that have no meaning here: each stops the start with a sentence that says why, and what to write
//! instead where there is something.

/// Name in `[jwt]` → why not.
#[rustfmt::skip] // a table reads best as one
const REFUSED: &[(&str, &str)] = &[
    ("check_user_is_active", "the tokens of an inactive user are always refused here, this cannot be switched off; leave it out"),
    ("json_encoder", "claims are plain JSON here, so there is no class to write unusual ones; leave it out"),
    ("jwk_url", "this server signs its own tokens and fetches nobody's keys; its own stand at /.well-known/jwks.json"),
    ("on_login_failed", "no code can be named here; a failed sign-in is one line in the log; leave it out"),
    ("on_login_success", "no code can be named here; write update_last_login = true to keep the time of sign-ins"),
    ("sliding_token_obtain_serializer", NO_SERIALIZER),
    ("sliding_token_refresh_serializer", NO_SERIALIZER),
    ("token_blacklist_serializer", NO_SERIALIZER),
    ("token_obtain_serializer", "there are no serializers here; write token_claims and static_claims for what tokens tell, obtain_response for what the answer tells beside them"),
    ("token_refresh_serializer", NO_SERIALIZER),
    ("token_user_class", "requests find their user in memory, and none is made of a token alone; leave it out"),
    ("token_verify_serializer", NO_SERIALIZER),
    ("user_authentication_rule", "no code can be named here; a user signs in who exists and is active, and accounts.require_verified_email asks for more; leave it out"),
    ("user_id_field", "tokens always name the user's id; write user_id_claim for the claim that holds it"),
    // What simplejwt has removed and stops at too.
    ("auth_header_type", "simplejwt has removed it; write auth_header_types, a list"),
    ("auth_token_class", "simplejwt has removed it; write auth_token_classes, a list"),
    ("secret_key", "simplejwt has removed it; write signing_key"),
    ("token_backend_class", "simplejwt has removed it; write algorithm for how tokens are signed"),
];

const NO_SERIALIZER: &str = "there are no serializers here that another could take the place of; leave it out";

/// Why `key` (`jwt.json_encoder`, in any letter case) cannot be set, if it is one of those.
pub(super) fn why(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let name = key.strip_prefix("jwt.")?;
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// CONTRACT 15.
    const SIMPLE_JWT: &str = "ACCESS_TOKEN_LIFETIME REFRESH_TOKEN_LIFETIME ROTATE_REFRESH_TOKENS BLACKLIST_AFTER_ROTATION \
        UPDATE_LAST_LOGIN ALGORITHM SIGNING_KEY VERIFYING_KEY AUDIENCE ISSUER JSON_ENCODER JWK_URL LEEWAY AUTH_HEADER_TYPES \
        AUTH_HEADER_NAME USER_ID_FIELD USER_ID_CLAIM USER_AUTHENTICATION_RULE AUTH_TOKEN_CLASSES TOKEN_TYPE_CLAIM JTI_CLAIM \
        TOKEN_USER_CLASS SLIDING_TOKEN_REFRESH_EXP_CLAIM SLIDING_TOKEN_LIFETIME SLIDING_TOKEN_REFRESH_LIFETIME \
        TOKEN_OBTAIN_SERIALIZER TOKEN_REFRESH_SERIALIZER TOKEN_VERIFY_SERIALIZER TOKEN_BLACKLIST_SERIALIZER \
        SLIDING_TOKEN_OBTAIN_SERIALIZER SLIDING_TOKEN_REFRESH_SERIALIZER CHECK_REVOKE_TOKEN REVOKE_TOKEN_CLAIM \
        CHECK_USER_IS_ACTIVE ON_LOGIN_SUCCESS ON_LOGIN_FAILED AUTH_HEADER_TYPE AUTH_TOKEN_CLASS SECRET_KEY TOKEN_BACKEND_CLASS";

    #[test]
    fn every_setting_of_simplejwt_is_understood_or_refused_with_a_sentence() {
        let tree = serde_json::to_value(Settings::default()).unwrap();
        for name in SIMPLE_JWT.split_whitespace().map(str::to_lowercase) {
            let known = tree.pointer(&format!("/jwt/{name}")).is_some();
            assert_ne!(known, why(&format!("jwt.{name}")).is_some(), "{name}");
        }
    }

    #[test]
    fn a_refused_setting_is_told_alike_from_file_environment_and_flag() {
        let sentence = "simplejwt has removed it; write signing_key";
        let told = |complaints: Vec<String>| complaints.join("\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        for name in ["secret_key", "SECRET_KEY"] {
            std::fs::write(&path, format!("[jwt]\n{name} = 'hunter42'\n")).unwrap();
            let file = told(Settings::load([], Some(&path), &[]).unwrap_err());
            assert_eq!(file, format!("jwt.{name} in {}: {sentence}", path.display()));
        }
        let variable = ("PORTCULLIS_JWT__SECRET_KEY".to_owned(), "hunter42".to_owned());
        let environment = told(Settings::load([variable], None, &[]).unwrap_err());
        assert_eq!(environment, format!("jwt.secret_key in the environment (PORTCULLIS_JWT__SECRET_KEY): {sentence}"));
        let flag = told(Settings::load([], None, &[("jwt.secret_key".into(), "hunter42".into())]).unwrap_err());
        assert_eq!(flag, format!("jwt.secret_key on the command line: {sentence}"));
    }
}
