//! From a request to an answer: what is the same for every door.

use crate::{
    Access, Actor, Answer, Ask, CityState, Headers, Params, Problem, ROUTES, Reply, Route, Verb,
    access::same_site,
    reply::{self, PACKINGS},
    stream::Feed,
    writes,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, Method, Response, Uri, header},
    middleware::map_response,
    routing::{MethodFilter, on},
};
use std::sync::{Arc, atomic::Ordering};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
};

/// The doors of [`ROUTES`] over one city.
pub fn router(state: Arc<CityState>) -> Router {
    let mut out = Router::new();
    for route in ROUTES {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Delete => MethodFilter::DELETE,
        };
        let handler = move |State(s): State<Arc<CityState>>, parts: Result<RawPathParams, RawPathParamsRejection>, r: Request| {
            through(s, route, parts, r)
        };
        out = out.route(route.path, on(filter, handler));
    }
    let packed = DefaultPredicate::new().and(NotForContentType::const_new("font/"));
    out.fallback(|request: Request| refused(request, "not-found"))
        .method_not_allowed_fallback(|request: Request| refused(request, "method-not-allowed"))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(packed))
        .layer(map_response(finished))
        .with_state(state)
}

/// What a door gives: an answer, or one that goes on.
enum Out {
    Reply(Reply),
    Feed(Feed),
}

async fn through(
    state: Arc<CityState>,
    route: &'static Route,
    parts: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let actor = state.door.actor(&head.headers, state.now(), state.limits());
    let public = actor.as_ref().map_or(true, |a| a.scope == Actor::nobody().scope);
    let answer = match actor {
        Ok(actor) => answer(&state, route, actor, parts, &head.method, &head.uri, &head.headers, body).await,
        Err(problem) => Err(problem),
    };
    match answer {
        Ok(Out::Reply(reply)) => reply.into_response(&head.headers, public),
        Ok(Out::Feed(feed)) => {
            let reply = Reply::new("text/event-stream", "").never_kept().header("x-accel-buffering", "no");
            reply.into_response(&head.headers, public).map(|_| Body::from_stream(feed))
        }
        Err(problem) => problem_response(&problem, &head.uri, &head.headers),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request, taken apart once")]
async fn answer(
    state: &Arc<CityState>,
    route: &'static Route,
    actor: Actor,
    parts: Result<RawPathParams, RawPathParamsRejection>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Out, Problem> {
    let limits = state.limits();
    let address = uri.path_and_query().map_or("", |p| p.as_str());
    if address.len() > limits.uri_bytes {
        return Err(Problem::new("uri-too-long", format!("At most {} bytes.", limits.uri_bytes)));
    }
    let header_bytes: usize = headers.iter().map(|(k, v)| k.as_str().len() + v.len() + 4).sum();
    if headers.len() > limits.headers || header_bytes > limits.header_bytes {
        return Err(Problem::new("headers-too-large", format!("At most {} headers and {} bytes.", limits.headers, limits.header_bytes)));
    }
    let query = Params::parse(uri.query().unwrap_or_default())?;
    let parts: Vec<(String, String)> = match &parts {
        Ok(p) => p.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        Err(_) => return Err(Problem::not_found()),
    };
    // No name in the city holds these; nothing is looked up with them.
    if parts.iter().any(|(_, v)| v.chars().any(|c| c.is_control()) || v.contains('\\')) {
        return Err(Problem::not_found());
    }
    if state.door.by_cookie(headers) {
        same_site(method, headers, &state.base())?;
    }
    if route.access == Access::Keeper {
        actor.must_be_keeper()?;
    }
    if !route.params.contains(&"*") {
        query.only(|name| route.params.contains(&name))?;
    }
    if route.media != "*/*" && !reply::acceptable(headers, route.media) {
        return Err(Problem::new("not-acceptable", format!("Offered is {}.", route.media)));
    }
    let body = if route.verb == Verb::Get { Vec::new() } else { read(state, route, headers, body).await? };
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let path = uri.path().to_owned();
    let ask = Ask {
        actor,
        path,
        parts,
        query,
        headers: Headers {
            cookie: text("cookie"),
            idempotency_key: writes::key(headers)?,
            last_event_id: text("last-event-id"),
            gzip: reply::takes_gzip(headers),
        },
        body,
    };
    run(state, route, ask).await
}

async fn read(state: &CityState, route: &Route, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !matches!(text(header::CONTENT_ENCODING), "" | "identity") {
        return Err(Problem::new("unsupported-media", "A packed body is not taken."));
    }
    if route.body {
        let mut pieces = text(header::CONTENT_TYPE).split(';').map(str::trim);
        let json =
            pieces.next().is_some_and(|m| m.eq_ignore_ascii_case("application/json") || m.eq_ignore_ascii_case("application/geo+json"));
        let utf8 =
            pieces.all(|p| !p.to_ascii_lowercase().starts_with("charset=") || p.to_ascii_lowercase().trim_matches('"').ends_with("utf-8"));
        if !json || !utf8 {
            return Err(Problem::new("unsupported-media", "JSON in UTF-8 is taken (`Content-Type: application/json`)."));
        }
    }
    let most = state.limits().body_bytes;
    let large = || Problem::new("payload-too-large", format!("At most {most} bytes."));
    let announced = text(header::CONTENT_LENGTH).parse::<usize>().unwrap_or(0);
    if announced > most {
        return Err(large());
    }
    match tokio::time::timeout(state.limits().request_time(), to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(e)) if std::error::Error::source(&e).is_some_and(|s| s.to_string().contains("length limit")) => Err(large()),
        Ok(Err(_)) => Err(Problem::new("bad-request", "The body broke off.")),
        Err(_) => Err(Problem::new("request-timeout", "The body did not come to its end.")),
    }
}

/// Off the threads that talk to clients; only so many at a time, the others wait in a line with an end.
async fn run(state: &Arc<CityState>, route: &'static Route, ask: Ask) -> Result<Out, Problem> {
    struct InLine<'a>(&'a CityState);
    impl Drop for InLine<'_> {
        fn drop(&mut self) {
            self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let busy = || Problem::new("busy", "Too many requests are waiting.").header("retry-after", "1");
    let in_line = state.waiting.fetch_add(1, Ordering::Relaxed);
    let place = InLine(state);
    if in_line >= state.limits().waiting {
        return Err(busy());
    }
    let work = async {
        let places = if matches!(route.answer, Answer::Keep(_)) { &state.keeping } else { &state.running };
        let _permit = places.acquire().await.map_err(|_| busy())?;
        drop(place);
        let shared = state.clone();
        tokio::task::spawn_blocking(move || match route.answer {
            Answer::Plain(answer) | Answer::Keep(answer) => answer(&shared, &ask).map(Out::Reply),
            Answer::Write(write) => writes::once(&shared, &ask, write).map(Out::Reply),
            Answer::Stream(open) => open(&shared, &ask).map(Out::Feed),
        })
        .await
        .map_err(Problem::internal)?
    };
    match tokio::time::timeout(state.limits().request_time(), work).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::new("query-timeout", "Ask for less at once.").header("retry-after", "5")),
    }
}

async fn refused(request: Request, code: &'static str) -> Response<Body> {
    let problem = match code {
        "not-found" => Problem::not_found(),
        _ => Problem::new(code, "See the `Allow` header."),
    };
    problem_response(&problem, request.uri(), request.headers())
}

fn problem_response(problem: &Problem, uri: &Uri, asked: &HeaderMap) -> Response<Body> {
    let trace = uuid::Uuid::new_v4().simple().to_string();
    if problem.status >= 500 {
        tracing::error!(
            trace,
            code = problem.code,
            path = uri.path(),
            cause = problem.cause.as_deref().unwrap_or_default(),
            "a request failed"
        );
    }
    let languages = asked.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let chinese = languages.trim_start().to_ascii_lowercase().starts_with("zh");
    let document = problem.document(uri.path(), &trace, chinese).to_string();
    let mut reply = Reply::new("application/problem+json", document).status(problem.status).never_kept();
    reply.headers.push(("content-language", if chinese { "zh" } else { "en" }.into()));
    reply.headers.push(("vary", "accept-language".into()));
    reply.headers.extend(problem.headers.iter().cloned());
    reply.into_response(asked, false)
}

/// Headers that stand on every answer, and an own entity tag for each packed form.
async fn finished(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Pages elsewhere may read what is public; a browser never adds our cookie to a request under `*`.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let packing = headers.get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok()).and_then(|p| PACKINGS.iter().find(|k| **k == p));
    let tag = headers.get(header::ETAG).and_then(|v| v.to_str().ok()).and_then(|t| t.strip_suffix('"'));
    if let (Some(packing), Some(tag)) = (packing, tag)
        && let Ok(v) = HeaderValue::from_str(&format!("{tag}-{packing}\""))
    {
        headers.insert(header::ETAG, v);
    }
    response
}
