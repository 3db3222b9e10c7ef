//! A progress bar on standard error; nothing is drawn where that is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of this length; `right` is what indicatif's template shows beside it.
pub(crate) fn bar(length: u64, right: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(&format!("{{spinner}} {{elapsed_precise}} {{wide_bar}} {right}"))
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_style(style);
    // Seldom, since it is drawn on the client's core.
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
