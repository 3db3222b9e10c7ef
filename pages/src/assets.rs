//! A page's own files, embedded in the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// A path, and the text that is there. Its content type is that of the path's extension; HTML without one.
pub type Asset = (&'static str, &'static str);

/// Serves `assets`, each under its path.
pub fn assets<S: Clone + Send + Sync + 'static>(assets: &'static [Asset]) -> Router<S> {
    assets.iter().fold(Router::new(), |router, &(path, text)| {
        let reply = ([(CONTENT_TYPE, content_type(path))], text);
        router.route(path, get(async move || reply))
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}
