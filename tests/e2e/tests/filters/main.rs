//! One filter language on every list: the database answers as a condition does, and nobody sees more by asking.

mod alike;
mod lists;
