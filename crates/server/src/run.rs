//! Starts everything: the store, the advisories, the listener, the reconciler; and stops it in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use advisories::share::key::PublicKey;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use store::Store;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::ServerError;
use crate::access::{Role, new_token};
use crate::api::{App, router};
use crate::knowledge::Indexes;
use crate::notary::Notary;
use crate::portfolio::{Clock, Portfolio};

/// How long requests may still take when the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How often the advisory file and the certificate are looked at. Both are replaced by rename.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The audit log is signed at least this often while entries are added,
const SIGN_EVERY: Duration = Duration::from_secs(3600);
/// and whenever so many were added: what is not signed yet could still be rewritten.
const SIGN_ENTRIES: i64 = 100;

/// How to serve.
pub struct Options {
    /// The database: `sqlite:PATH`, `postgres://…`.
    pub database_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where indexes, the audit log's key and its last checkpoint are kept.
    pub directory: PathBuf,
    /// The key that signs the audit log; none has one made in the directory.
    pub audit_key: Option<PathBuf>,
    /// The advisory index that `advisories update` replaces.
    pub index: PathBuf,
    /// Certificate and key; none serves plain HTTP.
    pub tls: Option<Tls>,
    /// The clock.
    pub clock: Clock,
}

/// A certificate, in PEM files that may be replaced while the server runs.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, with what leads to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A server that runs.
pub struct Running {
    /// Whose signatures the audit log bears.
    pub audit_key: PublicKey,
    /// Where it listens.
    pub address: SocketAddr,
    /// The secret of the first administrator's token, when this start made it.
    pub first_token: Option<String>,
    /// What it serves.
    pub app: Arc<App>,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
    working: Vec<JoinHandle<()>>,
}

/// Opens everything and serves.
pub async fn start(options: Options) -> Result<Running, ServerError> {
    let store = Store::open(&options.database_url).await?;
    let notary = Notary::open(&options.directory, options.audit_key.as_deref())?;
    let portfolio = Portfolio::open(store, Indexes::of(&options.directory), options.clock).await?;
    portfolio.take_index(&options.index, "server").await?;
    let first_token = first_token(&portfolio).await?;
    let audit_key = notary.public();
    let app = Arc::new(App { portfolio, notary, full_at: Default::default(), counted: Default::default() });
    let handle = Handle::new();
    let service = router(app.clone()).into_make_service();
    let listen = |source| ServerError::Listen { address: options.listen.to_string(), source };
    let listener = std::net::TcpListener::bind(options.listen).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let mut working = Vec::new();
    let serving = match options.tls {
        None => {
            let server = axum_server::from_tcp(listener).map_err(listen)?.handle(handle.clone());
            tokio::spawn(server.serve(service))
        }
        Some(tls) => {
            let config = RustlsConfig::from_config(Arc::new(certificate(&tls)?));
            working.push(tokio::spawn(reload(tls, config.clone())));
            let server = axum_server::from_tcp_rustls(listener, config).map_err(listen)?.handle(handle.clone());
            tokio::spawn(server.serve(service))
        }
    };
    working.push(tokio::spawn(reconcile(app.clone())));
    working.push(tokio::spawn(watch_index(app.clone(), options.index)));
    working.push(tokio::spawn(sign(app.clone())));
    Ok(Running { audit_key, address, first_token, app, handle, serving, working })
}

impl Running {
    /// Takes no more requests, lets those that run finish, and closes the database.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(GRACE));
        // What it ends in was logged.
        let _ = self.serving.await;
        for task in self.working {
            task.abort();
            let _ = task.await;
        }
        signed(&self.app).await;
        self.app.portfolio.store.close().await;
    }
}

/// The first administrator's token, where there is no token at all.
async fn first_token(portfolio: &Portfolio) -> Result<Option<String>, ServerError> {
    if !portfolio.store.tokens(&store::Filter::default()).await?.is_empty() {
        return Ok(None);
    }
    let (row, secret) = new_token("first administrator", Role::Administrator, "", None);
    let mut write = portfolio.store.write(portfolio.now()).await?;
    write.add_token(&row).await?;
    write.audit("server", "token.create", &row.id, "{\"first\":true}", crate::claim::hex_digest).await?;
    write.commit().await?;
    Ok(Some(secret))
}

/// Signs the audit log when an hour has passed, or enough was added.
async fn sign(app: Arc<App>) {
    let mut at = std::time::Instant::now();
    loop {
        match app.portfolio.store.newest_audit().await {
            Ok(newest) => {
                let added = newest - app.notary.signed().await;
                if added >= SIGN_ENTRIES || (added > 0 && at.elapsed() >= SIGN_EVERY) {
                    signed(&app).await;
                    at = std::time::Instant::now();
                }
            }
            Err(error) => tracing::error!(error = crate::problem::causes(&error), "the audit log cannot be read"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn signed(app: &App) {
    if let Err(error) = app.notary.checkpoint(&app.portfolio.store).await {
        tracing::error!(error = crate::problem::causes(&error), "the audit log was not signed");
    }
}

/// Judges what is behind, whenever something is. A lost nudge costs a second.
async fn reconcile(app: Arc<App>) {
    let portfolio = &app.portfolio;
    // A server that was away over midnight makes up for it.
    let oldest = portfolio.store.oldest_judged().await.ok().flatten();
    let mut today = day(oldest.unwrap_or_else(|| portfolio.now()));
    loop {
        if day(portfolio.now()) != today {
            // Exceptions end, knowledge grows old.
            today = day(portfolio.now());
            if let Err(error) = portfolio.judge_all_again("a day passed").await {
                tracing::error!(error = crate::problem::causes(&error), "the day's judging could not begin");
            }
        }
        let pause = match portfolio.store.behind().await {
            Ok(0) => Duration::from_millis(500),
            Ok(behind) => match portfolio.reconcile().instrument(tracing::info_span!("judge again", behind)).await {
                Ok(count) => {
                    tracing::debug!(count, "judged again");
                    Duration::ZERO
                }
                Err(error) => {
                    tracing::error!(error = crate::problem::causes(&error), "judging failed, and is tried again");
                    Duration::from_secs(2)
                }
            },
            Err(error) => {
                tracing::error!(error = crate::problem::causes(&error), "the database does not answer");
                Duration::from_secs(2)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn day(at: i64) -> i64 {
    at / 86_400_000_000
}

/// Puts the advisory file in force whenever it is another.
async fn watch_index(app: Arc<App>, path: PathBuf) {
    let stamp = |path: &PathBuf| std::fs::metadata(path).ok().and_then(|file| file.modified().ok());
    let mut seen = stamp(&path);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = stamp(&path);
        if now == seen {
            continue;
        }
        match app.portfolio.take_index(&path, "server").instrument(tracing::info_span!("take other advisories")).await {
            Ok(Some(images)) => tracing::info!(images, "other advisories are in force"),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = crate::problem::causes(&error), "the new advisories are not in force");
                continue;
            }
        }
        seen = now;
    }
}

fn certificate(tls: &Tls) -> Result<rustls::ServerConfig, ServerError> {
    let failed = |path: &PathBuf, detail: String| ServerError::File {
        path: path.clone(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, detail),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| failed(&tls.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes a replaced certificate without a restart; a broken one is logged, and the old stays.
async fn reload(tls: Tls, config: RustlsConfig) {
    let stamp = |tls: &Tls| {
        [&tls.certificate, &tls.key].map(|path| std::fs::metadata(path).ok().and_then(|file| file.modified().ok()))
    };
    let mut seen = stamp(&tls);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = stamp(&tls);
        if now == seen {
            continue;
        }
        // A broken one is looked at again when it is another: saying it once is enough.
        seen = now;
        match certificate(&tls) {
            Ok(fresh) => {
                config.reload_from_config(Arc::new(fresh));
                tracing::info!("the certificate was replaced");
            }
            Err(error) => {
                tracing::error!(error = crate::problem::causes(&error), "the new certificate is not used");
            }
        }
    }
}
