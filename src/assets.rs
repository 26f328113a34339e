//! The panel's style, script and icons, inside the binary.
//!
//! An asset's address holds the start of its SHA-256: `/static/{hash}/{name}` never changes its content, so a browser
//! keeps it for a year and asks for it once. A brotli copy is made the first time somebody can use it, not at start. What is
//! large lies packed in the binary already (`NAME.br` is served as `NAME`), and is unpacked for the few who cannot.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;

/// Text below this size gains nothing worth a second copy.
const WORTH_COMPRESSING: usize = 512;
/// Within a few percent of the best, and ten times as fast: the first visitor waits for it.
const BROTLI_QUALITY: i32 = 9;

#[derive(Embed)]
#[folder = "static/"]
struct Folder;

struct Asset {
    /// The file; of one that lies packed, once somebody needs it unpacked.
    plain: OnceLock<Bytes>,
    mime: HeaderValue,
    hash: String,
    url: String,
    brotli: OnceLock<Option<Bytes>>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> =
    LazyLock::new(|| Folder::iter().filter_map(Asset::embedded).collect());

impl Asset {
    /// A file of the folder, and the name it is served by.
    fn embedded(file: Cow<'static, str>) -> Option<(String, Self)> {
        let found = Folder::get(&file)?;
        let hash: String = hex::encode(found.metadata.sha256_hash()).chars().take(16).collect();
        let body = match found.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let packed = file.strip_suffix(".br");
        let mime = match found.metadata.mimetype() {
            // Of the two endings the last hides what it is; scripts alone are so large.
            _ if packed.is_some() => "text/javascript; charset=utf-8".to_owned(),
            text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
            other => other.to_owned(),
        };
        let mime = HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let (name, plain, brotli) = match packed {
            Some(name) => (name.to_owned(), OnceLock::new(), OnceLock::from(Some(body))),
            None => (file.into_owned(), OnceLock::from(body), OnceLock::new()),
        };
        let url = format!("/static/{hash}/{name}");
        Some((name, Self { plain, mime, hash, url, brotli }))
    }

    /// The file as it is; nothing if it was packed badly, which a test would show.
    fn plain(&self) -> &Bytes {
        self.plain.get_or_init(|| {
            let packed = self.brotli.get().and_then(Option::as_ref);
            let mut unpacked = Vec::new();
            let done = packed.map(|packed| brotli::BrotliDecompress(&mut packed.as_ref(), &mut unpacked));
            if let Some(Err(error)) = done {
                log::error!("{} is packed badly: {error}", self.url);
            }
            unpacked.into()
        })
    }

    /// The brotli copy; none where it would not be smaller.
    fn brotli(&self) -> Option<&Bytes> {
        let compress = || {
            let plain = self.plain();
            if plain.len() < WORTH_COMPRESSING {
                return None;
            }
            let params = brotli::enc::BrotliEncoderParams { quality: BROTLI_QUALITY, ..Default::default() };
            let mut copy = Vec::new();
            brotli::BrotliCompress(&mut plain.as_ref(), &mut copy, &params).ok()?;
            (copy.len() < plain.len()).then(|| Bytes::from(copy))
        };
        self.brotli.get_or_init(compress).as_ref()
    }
}

/// The address of an asset, with the hash of its content in it; empty for a name that does not exist, which a test of
/// the templates would show.
pub fn url(name: &str) -> &'static str {
    ASSETS.get(name).map_or("", |asset| &asset.url)
}

/// The routes under `/static/`.
pub fn routes(config: &mut ServiceConfig) {
    for pattern in ["/static/{hash}/{name}", "/static/{name}"] {
        config.service(web::resource(pattern).route(web::get().to(serve)).route(web::head().to(serve)));
    }
}

async fn serve(request: HttpRequest) -> HttpResponse {
    let Some(asset) = request.match_info().get("name").and_then(|name| ASSETS.get(name)) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("There is no such file.\n");
    };
    let compressed = if accepts_brotli(&request) { asset.brotli() } else { None };
    // A strong tag stands for bytes: the two forms of one file have each their own.
    let etag = format!("\"{}{}\"", asset.hash, if compressed.is_some() { "-br" } else { "" });
    let forever = request.match_info().get("hash").is_some_and(|hash| hash == asset.hash);
    let caching = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };

    let unchanged = header_text(&request, header::IF_NONE_MATCH).is_some_and(|known| {
        known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
    });
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::ETAG, etag))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if unchanged {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, asset.mime.clone()));
    match compressed {
        Some(copy) => response.insert_header((header::CONTENT_ENCODING, "br")).body(copy.clone()),
        None => response.body(asset.plain().clone()),
    }
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// Whether the client takes brotli: named, and not with a weight of nought (RFC 9110 §12.5.3).
fn accepts_brotli(request: &HttpRequest) -> bool {
    header_text(request, header::ACCEPT_ENCODING).is_some_and(|codings| {
        codings.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
            name.trim().eq_ignore_ascii_case("br") && !refused
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use actix_web::dev::ServiceResponse;
    use actix_web::http::StatusCode;
    use actix_web::{App, body, test};

    async fn get(path: &str, headers: &[(&str, &str)]) -> ServiceResponse {
        let app = test::init_service(App::new().configure(routes)).await;
        let request = headers.iter().fold(test::TestRequest::get().uri(path), |r, h| r.insert_header(*h));
        test::call_service(&app, request.to_request()).await
    }

    fn header<'a>(response: &'a ServiceResponse, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[actix_web::test]
    async fn the_address_with_the_right_hash_is_kept_for_ever() {
        let response = get(url("admin.css"), &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "content-type"), "text/css; charset=utf-8");
        assert!(header(&response, "cache-control").ends_with("immutable"));
        for path in ["/static/0000/admin.css", "/static/admin.css"] {
            assert_eq!(header(&get(path, &[]).await, "cache-control"), "no-cache", "{path}");
        }
    }

    #[actix_web::test]
    async fn brotli_is_given_to_those_who_take_it_and_is_the_same_file() {
        let plain = get(url("admin.css"), &[("accept-encoding", "gzip, br;q=0")]).await;
        let small = get(url("admin.css"), &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(header(&small, "content-encoding"), "br");
        assert_ne!(header(&small, "etag"), header(&plain, "etag"));
        let (plain, small) = (plain.into_body(), small.into_body());
        let (plain, small) = (body::to_bytes(plain).await.unwrap(), body::to_bytes(small).await.unwrap());
        assert!(small.len() * 3 < plain.len(), "{} of {}", small.len(), plain.len());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut small.as_ref(), &mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }

    #[actix_web::test]
    async fn what_lies_packed_is_sent_packed_or_unpacked_and_is_what_npm_has() {
        let small = get(url("rapidoc-min.js"), &[("accept-encoding", "br")]).await;
        assert_eq!(header(&small, "content-encoding"), "br");
        let small = body::to_bytes(small.into_body()).await.unwrap();
        let plain = get(url("rapidoc-min.js"), &[("accept-encoding", "gzip")]).await;
        assert_eq!((header(&plain, "content-encoding"), header(&plain, "vary")), ("", "Accept-Encoding"));
        assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
        let plain = body::to_bytes(plain.into_body()).await.unwrap();
        assert!(small.len() * 4 < plain.len(), "{} of {}", small.len(), plain.len());
        assert_eq!(
            hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &plain)),
            "affbd173a65e870e18f392cca963113bcdafb6e50e88cd2f6a834a65b22db94d",
            "rapidoc 9.3.8, dist/rapidoc-min.js"
        );
        assert_eq!(get("/static/rapidoc-min.js.br", &[]).await.status(), StatusCode::NOT_FOUND);
    }

    #[actix_web::test]
    async fn a_file_the_browser_has_is_not_sent_again() {
        let first = get(url("icons.svg"), &[]).await;
        let again = get(url("icons.svg"), &[("if-none-match", header(&first, "etag"))]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[actix_web::test]
    async fn what_is_not_in_the_binary_is_not_found() {
        for path in ["/static/secret.key", "/static/0000/..%2fCargo.toml", "/static/%2e%2e/Cargo.toml"] {
            assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
