//! Streams of server-sent events.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

/// When a page whose stream broke comes again.
const RETRY: Duration = Duration::from_secs(1);
/// A comment is sent when nothing else was for this long, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A reply that goes on until `stop`, or until the reader has gone: the events that `next` finds after a
/// place, beginning with `from`, and the place to go on from.
///
/// `next` is called when the reader has taken all that came before, and an event is made when it is sent. So
/// a slow reader holds no more than one batch, and nothing waits for it.
pub fn events<Place, Next, Found, Batch>(from: Place, mut next: Next, stop: CancellationToken) -> Response
where
    Place: Send + 'static,
    Next: FnMut(Place) -> Found + Send + 'static,
    Found: Future<Output = (Batch, Place)> + Send + 'static,
    Batch: IntoIterator<Item = Event, IntoIter: Send + 'static> + 'static,
{
    let connected = Event::default().retry(RETRY).comment("connected");
    let found = stream::unfold(from, move |place| {
        let found = next(place);
        async move {
            let (batch, place) = found.await;
            Some((stream::iter(batch), place))
        }
    });
    let events = stream::once(ready(connected)).chain(found.flatten()).map(Ok::<_, Infallible>);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(keep_alive).into_response()
}
