//! What a scan says while it goes on. Saying it changes nothing: who does not listen gets the same report.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Something worth telling somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The layers of an image are known and about to be read.
    Layers {
        /// The image, as the user wrote it.
        target: String,
        /// How many there are.
        of: usize,
        /// Their size as stored, as far as it is known.
        bytes: u64,
    },
    /// One layer was read. Layers are read side by side, so their numbers come in any order.
    Layer {
        /// The image, as the user wrote it.
        target: String,
        /// Which one, counted from 1 at the bottom.
        layer: usize,
        /// How many have been read by now.
        done: usize,
        /// How many there are.
        of: usize,
        /// Its uncompressed size.
        bytes: u64,
        /// It was known from an earlier scan.
        cached: bool,
    },
    /// The target is read without a sandbox, although one was to be used where that is possible.
    Unconfined {
        /// The target, as the user wrote it.
        target: String,
        /// Why.
        why: String,
    },
}

/// Who is told. The default is nobody.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Progress {
    /// Tells this function, which may be called from several threads at once.
    pub fn to(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Tells whoever listens. The event is made only for somebody.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.0 {
            listener(event());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(somebody)" } else { "Progress(nobody)" })
    }
}
