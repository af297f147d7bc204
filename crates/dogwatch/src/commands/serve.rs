//! `dogwatch serve`: remembers every image, what is in it, where it runs and whose it is, and judges again when knowledge changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use model::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::portfolio::{KeptArguments, ServeArguments};
use crate::console::{Failure, write};
use crate::paths;

mod watched;

/// How long a collector of traces may take at the end.
const FLUSH: Duration = Duration::from_secs(3);

/// Serves until it is told to stop.
pub(crate) fn run(arguments: ServeArguments) -> Result<u8, Failure> {
    let traces = watched::begin(arguments.log, arguments.otlp_endpoint.as_deref())?;
    let kept = Kept::of(arguments.kept)?;
    kept.make()?;
    let options = server::Options {
        database_url: kept.database_url,
        listen: arguments.listen,
        directory: kept.directory,
        audit_key: arguments.audit_key,
        index: super::index_path(arguments.index.as_deref())?,
        tls: arguments.tls_cert.zip(arguments.tls_key).map(|(certificate, key)| server::Tls { certificate, key }),
        clock: Arc::new(Timestamp::now),
    };
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads")?;
    runtime.block_on(async {
        let running = server::start(options).await?;
        let mut said = format!("listening at {scheme}://{}\n", running.address);
        if let Some(token) = &running.first_token {
            said.push_str(&format!("administrator's token, shown once: {token}\n"));
        }
        said.push_str(&format!(
            "the audit log is signed; its public key: {}\n",
            super::audit_log::shown(&running.audit_key)
        ));
        write(&said, None)?;
        stopped().await?;
        tracing::info!("stopping");
        running.stop().await;
        Ok::<_, Failure>(())
    })?;
    // What was not sent by now is sent, or lost: nobody waits for a collector that is away.
    traces.map(|traces| traces.shutdown_with_timeout(FLUSH));
    Ok(0)
}

/// Where a server keeps what it remembers.
pub(crate) struct Kept {
    /// Its data directory.
    pub(crate) directory: PathBuf,
    /// Its database.
    pub(crate) database_url: String,
}

impl Kept {
    pub(crate) fn of(arguments: KeptArguments) -> Result<Self, Failure> {
        let directory = match arguments.data_dir {
            Some(directory) => directory,
            None => paths::data()
                .context("no home directory to keep the portfolio in; name one with `--data-dir`")?
                .join("server"),
        };
        let in_directory = || format!("sqlite:{}", directory.join("portfolio.db").display());
        let database_url = arguments.database_url.unwrap_or_else(in_directory);
        Ok(Self { directory, database_url })
    }

    /// Makes the directory where there is none.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let made = std::fs::create_dir_all(&self.directory);
        Ok(made.with_context(|| format!("`{}` cannot be made", self.directory.display()))?)
    }
}

/// Waits for a signal that means "stop".
async fn stopped() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
