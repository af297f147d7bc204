//! What all requests of one run share: connections, tokens, and the pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::blocking::Client;

use crate::target::Reference;

use super::error::RegistryError;
use super::pace::Pace;
use super::{RegistryOptions, Repository, http};

/// Kept by [`RegistryOptions`], whose copies share it. Options with other credentials or certificates need their own.
#[derive(Debug, Default)]
pub struct Shared {
    pub(super) pace: Pace,
    /// Repositories that were asked before, with what was learned about them: scheme, token, mirrors that do not answer.
    repositories: Mutex<HashMap<(String, String), Arc<Repository>>>,
    /// One for this machine, which no proxy stands before, and one for all others. Each is a thread.
    clients: Mutex<HashMap<bool, Client>>,
}

impl Shared {
    /// With a pace of its own.
    pub fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    pub(super) fn repository(
        &self,
        reference: &Reference,
        options: &RegistryOptions,
    ) -> Result<Arc<Repository>, RegistryError> {
        let key = (reference.registry().to_owned(), reference.repository().to_owned());
        let mut known = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = known.get(&key) {
            return Ok(repository.clone());
        }
        let repository = Arc::new(Repository::new(reference, options)?);
        known.insert(key, repository.clone());
        Ok(repository)
    }

    /// A client whose proxies are those of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`).
    pub(super) fn client(&self, this_machine: bool, options: &RegistryOptions) -> Result<Client, RegistryError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&this_machine) {
            return Ok(client.clone());
        }
        let mut builder = http::builder(options)?;
        if this_machine {
            builder = builder.no_proxy();
        }
        let client = http::built(builder)?;
        clients.insert(this_machine, client.clone());
        Ok(client)
    }
}
