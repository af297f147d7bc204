//! REST under `/api/v1`: one table of routes ([`ROUTES`]) from which requests are answered, access is decided and the OpenAPI document is
//! made.

pub mod documents;
pub mod images;
pub mod openapi;
pub mod people;
pub mod requests;
pub mod stream;
pub mod uploads;
pub mod writes;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use tracing::Instrument;

use store::FilterFact;

use crate::access::{self, Caller, Permission, Role};
use crate::claim::CLAIM_BYTES_MAX;
use crate::notary::Notary;
use crate::portfolio::Portfolio;
use crate::problem::{self, Problem};

pub use openapi::document as openapi;
pub use requests::Call;

/// What a handler answers.
pub type Answer = Result<Response, Problem>;
type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A parameter in the query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// What it may be, as a JSON schema.
    pub schema: &'static str,
}

const TEXT: &str = r#"{"type":"string","maxLength":2048,"pattern":"^[^\\u0000]*$"}"#;

/// One route.
pub struct Route {
    /// `GET`, `PUT`, …
    pub method: Method,
    /// The path, with parts to fill in: `/api/v1/images/{digest}`.
    pub path: &'static str,
    /// What the caller must be allowed.
    pub permission: Permission,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What the query may hold, beside a filter.
    pub query: &'static [Parameter],
    /// What its rows may be filtered by; nothing where it is no list.
    pub facts: &'static [FilterFact],
    /// The schema of the request's body.
    pub body: Option<openapi::SchemaOf>,
    /// The schema of the answer.
    pub answer: openapi::SchemaOf,
    run: Handler,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

macro_rules! route {
    ($method:ident $path:literal $permission:ident $run:path, $doc:literal, [$($query:expr),*], $body:expr, $answer:expr) => {
        route!($method $path $permission $run, $doc, [$($query),*] filter &[], $body, $answer)
    };
    ($method:ident $path:literal $permission:ident $run:path, $doc:literal, [$($query:expr),*] filter $facts:expr, $body:expr, $answer:expr) => {
        Route {
            method: Method::$method,
            path: $path,
            permission: Permission::$permission,
            doc: $doc,
            query: &[$($query),*],
            facts: $facts,
            body: $body,
            answer: $answer,
            run: |call| Box::pin($run(call)),
        }
    };
}

const COUNT: &str = r#"{"type":"integer","minimum":0,"maximum":9223372036854775807}"#;
const LIMIT: Parameter = Parameter {
    name: "limit",
    doc: "How many rows, 1 to 1000; 100 where it is not said.",
    schema: r#"{"type":"integer","minimum":1,"maximum":1000}"#,
};
const CURSOR: Parameter = Parameter {
    name: "cursor",
    doc: "`next` of the page before.",
    schema: r#"{"type":"string","pattern":"^([0-9a-f]{2})*$"}"#,
};
const AS_OF: Parameter = Parameter {
    name: "as-of",
    doc: "As of this moment (RFC 3339, or a date: its end in UTC).",
    schema: r#"{"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"}]}"#,
};
const SORT: Parameter = Parameter {
    name: "sort",
    doc: "`age` (oldest first) or `risk` (highest first).",
    schema: r#"{"enum":["age","risk"]}"#,
};
const AFTER: Parameter =
    Parameter { name: "after", doc: "The number of the last change that was read.", schema: COUNT };
const WHAT: Parameter = Parameter {
    name: "of",
    doc: "`image`, `layer`, `package` or `vulnerability`.",
    schema: r#"{"enum":["image","layer","package","vulnerability"]}"#,
};
const VALUE: Parameter =
    Parameter { name: "value", doc: "A digest or name; a diff id; a name or package URL; a CVE.", schema: TEXT };
const OFFSET: Parameter = Parameter { name: "offset", doc: "How many bytes come before this part.", schema: COUNT };
const TOTAL: Parameter =
    Parameter { name: "total", doc: "How many bytes the whole document has, as it is sent.", schema: COUNT };
const SEEN: Parameter = Parameter {
    name: "stage",
    doc: "Where it was seen: `build`, `registry` or `running`.",
    schema: r#"{"enum":["build","registry","running"]}"#,
};

const FILTER: Parameter = Parameter {
    name: "filter",
    doc: "Which rows: a condition (CEL) such as `name.startsWith(\"shop/\") && risk > 40`.",
    schema: TEXT,
};

impl Route {
    /// All that the query may hold.
    pub fn parameters(&self) -> Vec<Parameter> {
        let filter = (!self.facts.is_empty()).then_some(FILTER);
        self.query.iter().copied().chain(filter).collect()
    }
}

/// Every route.
pub static ROUTES: std::sync::LazyLock<Vec<Route>> = std::sync::LazyLock::new(|| {
    use openapi::{any, list, of};
    vec![
        route!(GET "/healthz" Open people::healthy, "Whether the process lives.", [], None, any),
        route!(GET "/readyz" Open people::ready, "Whether it can answer: database, advisories.", [], None, any),
        route!(GET "/metrics" Open people::metrics, "Figures for Prometheus.", [], None, any),
        route!(GET "/api/v1/openapi.json" Open people::described, "This description.", [], None, any),
        route!(POST "/api/v1/reports" Report writes::report, "Claims what is inside something: a scan report, CycloneDX or SPDX; `Content-Encoding` gzip or zstd.", [SEEN], Some(any), of::<crate::portfolio::Ingested>),
        route!(GET "/api/v1/uploads/{digest}" Report uploads::state, "How much has come of a document that is sent in parts; `digest` is the SHA-256 of all its bytes.", [], None, of::<uploads::Upload>),
        route!(PUT "/api/v1/uploads/{digest}" Report uploads::part, "The next part of a document; the last one has it taken in as `POST /api/v1/reports` would, its `Content-Encoding` being the whole document's.", [OFFSET, TOTAL, SEEN], Some(any), of::<uploads::Upload>),
        route!(GET "/api/v1/images" Read images::list, "Images, with what they were judged and whose they are.", [LIMIT, CURSOR, AS_OF, SORT] filter store::IMAGE_FACTS, None, list::<images::Image>),
        route!(GET "/api/v1/images/{digest}" Read images::one, "One image.", [AS_OF], None, of::<images::Image>),
        route!(GET "/api/v1/images/{digest}/findings" Read images::findings, "What is wrong with an image, with the layer that brings it and that layer's team.", [LIMIT, CURSOR, AS_OF] filter store::FINDING_FACTS, None, list::<images::FindingOfImage>),
        route!(GET "/api/v1/images/{digest}/risk/{vulnerability}" Read images::risk, "The risk of one finding of an image, factor by factor.", [AS_OF], None, of::<portfolio::risk::Risk>),
        route!(GET "/api/v1/images/{digest}/verdicts" Read images::verdicts, "What an image was judged over time.", [] filter store::VERDICT_FACTS, None, list::<images::VerdictOverTime>),
        route!(GET "/api/v1/images/{digest}/claims" Read images::claims, "Who said what about an image.", [] filter store::CLAIM_FACTS, None, list::<images::ClaimOfImage>),
        route!(GET "/api/v1/images/{digest}/inventory" Read images::inventory, "What is inside an image: the claim that is in force.", [], None, any),
        route!(GET "/api/v1/tags" Read images::tags, "What names stood for over time.", [LIMIT, CURSOR] filter store::TAG_FACTS, None, list::<images::TagOverTime>),
        route!(GET "/api/v1/vulnerabilities" Read images::vulnerabilities, "Vulnerabilities in anything that the caller may see.", [LIMIT, CURSOR, AS_OF] filter store::VULNERABILITY_FACTS, None, list::<images::Vulnerability>),
        route!(GET "/api/v1/vulnerabilities/{id}/scores" Read images::scores, "How a vulnerability's scores went, per scorer.", [] filter store::SCORE_FACTS, None, list::<images::ScoreOverTime>),
        route!(GET "/api/v1/dependents" Read images::dependents, "Who stands on an image, a layer or a package, or has a vulnerability: images, workloads, systems, teams, environments.", [WHAT, VALUE, LIMIT, CURSOR, AS_OF] filter store::DEPENDENT_FACTS, None, of::<images::DependentsAnswer>),
        route!(GET "/api/v1/workloads" Read images::workloads, "What runs where.", [LIMIT, CURSOR, AS_OF] filter store::WORKLOAD_FACTS, None, list::<images::RunningWorkload>),
        route!(PUT "/api/v1/environments/{environment}/workloads" Report writes::snapshot, "All that an environment runs; what is not listed runs no more.", [], Some(of::<Vec<crate::workloads::Workload>>), of::<writes::WorkloadsTaken>),
        route!(POST "/api/v1/environments/{environment}/workloads" Report writes::changes, "Workloads that started or stopped.", [], Some(of::<Vec<crate::workloads::WorkloadChange>>), of::<writes::WorkloadsTaken>),
        route!(GET "/api/v1/changes" Read stream::changes, "The change feed, oldest first, as CloudEvents.", [AFTER, LIMIT] filter store::CHANGE_FACTS, None, list::<stream::CloudEvent>),
        route!(GET "/api/v1/changes/stream" Read stream::follow, "The change feed as Server-Sent Events; `Last-Event-ID` continues.", [AFTER] filter store::CHANGE_FACTS, None, any),
        route!(GET "/api/v1/catalog" Read documents::catalog, "Systems, components, resources, teams and people.", [], None, of::<portfolio::catalog::Catalog>),
        route!(GET "/api/v1/documents/{name}" Rule documents::get, "A document in force: `catalog`, `owner-rules`, `policies`, `exceptions`, `thresholds`, `advisories` or `bases`.", [AS_OF], None, of::<documents::Document>),
        route!(PUT "/api/v1/documents/{name}" Rule documents::put, "Puts a document in force: all its files, in place of those before.", [], Some(of::<documents::Files>), of::<documents::Taken>),
        route!(GET "/api/v1/bases" Read documents::bases, "The registered base images, by their chains of layers.", [], None, of::<model::base::Bases>),
        route!(POST "/api/v1/bases" Advise documents::add_base, "Registers an image that is known here as a base; images that begin with its layers stand on it.", [], Some(of::<documents::NewBase>), of::<documents::Taken>),
        route!(PUT "/api/v1/advisories/{id}" Advise documents::advise, "Publishes a private advisory (OSV); it takes the place of one with the same id.", [], Some(any), of::<documents::Taken>),
        route!(DELETE "/api/v1/advisories/{id}" Advise documents::withdraw, "Withdraws a private advisory.", [], None, of::<documents::Taken>),
        route!(GET "/api/v1/tokens" Administer people::tokens, "All tokens, without their secrets.", [] filter store::TOKEN_FACTS, None, list::<people::Token>),
        route!(POST "/api/v1/tokens" Administer people::new_token, "Makes a token; its secret is in the answer and nowhere else.", [], Some(of::<people::NewToken>), of::<people::MadeToken>),
        route!(DELETE "/api/v1/tokens/{id}" Administer people::revoke, "Revokes a token.", [], None, any),
        route!(GET "/api/v1/audit-log" Audit people::audit, "The audit log, oldest first; each entry holds a digest over itself and the one before.", [AFTER, LIMIT] filter store::AUDIT_FACTS, None, list::<people::Entry>),
        route!(GET "/api/v1/audit-log/checkpoint" Audit people::checkpoint, "A signed text over the whole audit log (C2SP tlog-checkpoint, the root being the last entry's digest), and whose signature it bears.", [], None, of::<people::Signed>),
    ]
});

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// What is known.
    pub portfolio: Portfolio,
    /// When something could not be written for want of room, the last time.
    pub full_at: Mutex<Option<Instant>>,
    /// Who signs the audit log.
    pub notary: Notary,
    /// Figures about requests.
    pub counted: people::Counted,
}

/// The router over all routes.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let mut methods: MethodRouter<Arc<App>> = MethodRouter::new();
        for route in ROUTES.iter().filter(|route| route.path == path) {
            let filter = match route.method {
                Method::POST => axum::routing::MethodFilter::POST,
                Method::PUT => axum::routing::MethodFilter::PUT,
                Method::DELETE => axum::routing::MethodFilter::DELETE,
                _ => axum::routing::MethodFilter::GET,
            };
            methods = methods.on(filter, move |state, params, request| answer(route, state, params, request));
        }
        let refused = || async { Problem::new(405, "method not allowed", "this path has no such method") };
        router = router.route(path, methods.fallback(refused));
    }
    let missing = || async { Problem::missing("such path") };
    router.fallback(missing).layer(axum::middleware::from_fn_with_state(app.clone(), count)).with_state(app)
}

/// Counts requests and their answers.
async fn count(State(app): State<Arc<App>>, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let span = tracing::info_span!("request", method = %method, path = path.as_ref().map_or("", MatchedPath::as_str), status = tracing::field::Empty);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    // Being asked whether it is ready is no attempt to write.
    if response.status().as_u16() == problem::FULL && path != "/readyz" {
        *app.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
    app.counted.add(path, response.status().as_u16(), began.elapsed());
    tracing::info!(%method, path, status = response.status().as_u16(), micros = began.elapsed().as_micros() as u64, "request");
    response
}

async fn answer(
    route: &'static Route,
    State(app): State<Arc<App>>,
    params: RawPathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = match route.permission {
        Permission::Open => Caller { name: String::new(), role: Role::Viewer, scope: String::new() },
        permission => {
            let caller = who(&app, &parts.headers).await?;
            if !caller.role.may(permission, !caller.scope.is_empty()) {
                return Err(Problem::new(403, "not allowed", "this token's role or scope does not allow it"));
            }
            caller
        }
    };
    let mut query = requests::query(parts.uri.query().unwrap_or_default(), &route.parameters())?;
    let filter = requests::filter(&query.remove(FILTER.name).unwrap_or_default(), route.facts)?;
    if params.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Problem::missing("such thing"));
    }
    let path = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body: Bytes = match route.body {
        None => Bytes::new(),
        Some(_) => axum::body::to_bytes(body, CLAIM_BYTES_MAX as usize)
            .await
            .map_err(|_| Problem::new(413, "the body is too large or broke off", "send less, or compress it"))?,
    };
    let etag = parts.headers.get(header::IF_NONE_MATCH).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let is_read = route.method == Method::GET;
    let response = (route.run)(Call { app, caller, path, query, filter, headers: parts.headers, body }).await?;
    Ok(if is_read { tagged(response, etag.as_deref()).await } else { response })
}

/// Adds an `ETag` to a complete answer, and leaves out the body when the caller has it.
async fn tagged(response: Response, known: Option<&str>) -> Response {
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("application/json")));
    if !is_json || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Our own answers are in memory already.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Problem::new(500, "internal error", "the answer broke off").into_response();
    };
    let etag = format!("\"{}\"", &crate::claim::hex_digest(&bytes)[..32]);
    if let Ok(value) = etag.parse() {
        parts.headers.insert(header::ETAG, value);
    }
    if known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Who asks, by the token in the `Authorization` header.
async fn who(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    let refused =
        || Problem::new(401, "who are you?", "send `Authorization: Bearer TOKEN`, with a token that is in force");
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    let secret = value.strip_prefix("Bearer ").ok_or_else(refused)?;
    let row = app.portfolio.store.token(&access::hash(secret.trim())).await?.ok_or_else(refused)?;
    access::caller(&row, app.portfolio.now()).ok_or_else(refused)
}
