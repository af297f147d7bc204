//! `dogwatch advisories publish`, `pull` and `keygen`: one compiled index for many machines.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::advisories::share::key::{PublicKey, SecretKey};
use ::advisories::share::shelf::{Directory, ENVELOPE_BYTES_MAX, Shelf, ShelfError, Web};
use ::advisories::share::statement::{ENVELOPE_TYPE, Part};
use ::advisories::share::{ARTIFACT_TYPE, INDEX_TYPE, PublishOptions, PullOptions, ShareError, publish, pull, sha256};
use ::advisories::update::Url;
use ::scan::source::{ArtifactFile, RegistryArtifact, RegistryOptions, SourceOptions, http_client};
use ::scan::target::Reference;
use anyhow::Context;
use model::Timestamp;
use model::digest::Digest;

use crate::cli::{KeygenArguments, PlaceArguments, PublishArguments, PullArguments};
use crate::console::{Failure, Hint, note, progress, write};
use crate::paths;

const RETRY_PAUSE: Duration = Duration::from_secs(1);
const DAY_SECS: i64 = 24 * 60 * 60;
const NO_HOME: &str = "no home directory for the index; set DOGWATCH_DATA_DIR";

/// Publishes the user's index, or the one named.
pub(crate) fn publish_index(arguments: &PublishArguments) -> Result<u8, Failure> {
    let index = arguments.index.clone().or_else(paths::index).context(NO_HOME)?;
    let key = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
        SecretKey::parse(&text).with_context(|| format!("`{}` cannot sign", path.display()))
    };
    let keys = arguments.key.iter().map(key).collect::<anyhow::Result<Vec<_>>>();
    let keys = keys.hint(Some("make a pair of keys with `dogwatch advisories keygen NAME`".into()))?;
    let now = Timestamp::now();
    let expires = Timestamp::from_second(now.as_second() + i64::from(arguments.valid_days) * DAY_SECS)?;
    let options = PublishOptions { index: &index, place: &arguments.target, keys: &keys, now, expires };
    let bar = progress(format!("publishing to {}", arguments.target));
    let published = at_place(&arguments.target, &arguments.place, true, &|shelf| publish(shelf, &options));
    bar.finish_and_clear();
    let published = published?;
    let statement = &published.statement;
    let size = match statement.changes.last().filter(|_| !published.same) {
        Some(change) => format!(
            "{:.1} MB whole, {:.2} MB as a change from the one before",
            megabytes(statement.whole.bytes),
            megabytes(change.part.bytes)
        ),
        None => format!("{:.1} MB whole", megabytes(statement.whole.bytes)),
    };
    let what = if published.same { "the same index, confirmed" } else { "a new index" };
    write(&format!("published number {}: {what}, {size}, until {:.0}\n", statement.sequence, statement.expires), None)?;
    Ok(0)
}

/// Pulls a published index in place of the user's.
pub(crate) fn pull_index(arguments: &PullArguments) -> Result<u8, Failure> {
    let (index, store) = (paths::index().context(NO_HOME)?, paths::store().context(NO_HOME)?);
    let pinned = store.root().join("trusted.pem");
    let named: Vec<String> = match arguments.key.is_empty() {
        true if pinned.exists() => vec![fs::read_to_string(&pinned)?],
        true => {
            let hint = "give the publisher's public key once with `--key FILE`; it is remembered".to_owned();
            return Err(anyhow::anyhow!("no key is trusted yet")).hint(Some(hint));
        }
        false => super::texts(&arguments.key)?.into_iter().map(|(_, text)| text).collect(),
    };
    let trusted = named.iter().map(|text| PublicKey::parse_all(text)).collect::<Result<Vec<_>, _>>();
    let trusted = trusted.context("a trusted key cannot be read")?.concat();
    let now = Timestamp::now();
    let options = PullOptions { place: &arguments.source, trusted: &trusted, store: &store, index: &index, now };
    let bar = progress(format!("pulling from {}", arguments.source));
    let pulled = at_place(&arguments.source, &arguments.place, false, &|shelf| pull(shelf, &options));
    bar.finish_and_clear();
    let pulled = pulled?;
    if !arguments.key.is_empty() {
        let pem: String = trusted.iter().map(PublicKey::pem).collect();
        fs::write(&pinned, pem).with_context(|| format!("`{}` cannot be written", pinned.display()))?;
    }
    if let Some(why) = &pulled.fell_back {
        note(&format!("the changes could not be used, so the whole was taken: {why}"));
    }
    let statement = &pulled.statement;
    if statement.expires < now {
        note(&format!("its publisher expected a newer one by {:.0}; knowledge may be out of date", statement.expires));
    }
    let how = match (pulled.fetched_bytes, pulled.changes) {
        (0, _) => "already in force".to_owned(),
        (bytes, 0) => format!("whole, {:.1} MB", megabytes(bytes)),
        (bytes, 1) => format!("1 change, {:.2} MB", megabytes(bytes)),
        (bytes, changes) => format!("{changes} changes, {:.2} MB", megabytes(bytes)),
    };
    write(&format!("number {} of {:.0}: {how}\n", statement.sequence, statement.created), None)?;
    Ok(0)
}

/// Makes `NAME.key` and `NAME.pub`.
pub(crate) fn keygen(arguments: &KeygenArguments) -> Result<u8, Failure> {
    let secret = SecretKey::generate()?;
    let public = SecretKey::parse(&secret)?.public();
    let beside = |extension: &str| PathBuf::from(format!("{}.{extension}", arguments.name));
    let (key, pem) = (beside("key"), beside("pub"));
    new_file(&key, 0o600, &secret)?;
    new_file(&pem, 0o644, &public.pem())?;
    let text = format!(
        "{}  signs; keep it secret\n{}  is for those who pull; its id is {}\n",
        key.display(),
        pem.display(),
        public.id()
    );
    write(&text, None)?;
    Ok(0)
}

/// A key that is there already may be in use: it is never written over.
fn new_file(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = File::options().write(true).create_new(true).mode(mode).open(path);
    let written = made.and_then(|mut file| file.write_all(text.as_bytes()));
    Ok(written.with_context(|| format!("`{}` cannot be made", path.display()))?)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Calls `act` with the shelf that a text means: `https://…`, a directory (`dir:PATH`, `/PATH`, `./PATH`), or a registry.
fn at_place<T>(
    text: &str,
    arguments: &PlaceArguments,
    push: bool,
    act: &dyn Fn(&dyn Shelf) -> Result<T, ShareError>,
) -> Result<T, Failure> {
    let failed = |error: ShareError| Failure { hint: error.hint(), error: error.into() };
    let registry = RegistryOptions {
        ca_file: arguments.ca_file.clone(),
        insecure_http: arguments.insecure_http,
        ..RegistryOptions::default()
    };
    if text.starts_with("http://") || text.starts_with("https://") {
        let client = http_client(&registry).map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
        let address = Url::parse(text).with_context(|| format!("`{text}` is no address"))?;
        return act(&Web { client: &client, address: &address, retry_pause: RETRY_PAUSE }).map_err(failed);
    }
    if let Some(path) = text.strip_prefix("dir:").or_else(|| text.starts_with(['/', '.']).then_some(text)) {
        return act(&Directory(path.into())).map_err(failed);
    }
    let reference: Reference = text.strip_prefix("registry:").unwrap_or(text).parse().map_err(|error| {
        let hint = "write `REGISTRY/NAME:TAG`, `dir:PATH` or `https://HOST/PATH`".to_owned();
        Failure { error: anyhow::Error::new(error), hint: Some(hint) }
    })?;
    let options = SourceOptions { registry, ..SourceOptions::default() };
    let artifact = match push {
        true => RegistryArtifact::to_push(&reference, &options),
        false => RegistryArtifact::to_read(&reference, &options),
    };
    let artifact = artifact.map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    act(&Registry(artifact)).map_err(failed)
}

/// A publication as an artifact: its envelope is the first file, the index and its changes follow.
struct Registry(RegistryArtifact);

impl Shelf for Registry {
    fn envelope(&self) -> Result<Option<Vec<u8>>, ShelfError> {
        let Some(files) = self.0.files(ARTIFACT_TYPE)? else { return Ok(None) };
        let found = files.into_iter().find(|file| file.media_type == ENVELOPE_TYPE).context("it has no statement")?;
        if found.size > ENVELOPE_BYTES_MAX {
            return Err(format!("its statement has more than {ENVELOPE_BYTES_MAX} bytes").into());
        }
        let mut bytes = Vec::new();
        self.0.fetch(&found.digest, found.size, &mut bytes)?;
        Ok(Some(bytes))
    }

    fn take(&self, part: &Part, to: &Path) -> Result<(), ShelfError> {
        let digest = Digest::parse(&format!("sha256:{}", part.sha256))?;
        let mut file = File::create(to)?;
        self.0.fetch(&digest, part.bytes, &mut file)?;
        Ok(file.flush()?)
    }

    fn put(&self, envelope: &[u8], parts: &[(Part, PathBuf)], older: &[Part]) -> Result<(), ShelfError> {
        let scratch = tempfile::NamedTempFile::new()?;
        fs::write(scratch.path(), envelope)?;
        let file = |media_type: &str, part: &Part, path: Option<PathBuf>| -> Result<ArtifactFile, ShelfError> {
            let digest = Digest::parse(&format!("sha256:{}", part.sha256))?;
            Ok(ArtifactFile { media_type: media_type.into(), digest, size: part.bytes, path })
        };
        let statement = Part { sha256: sha256(envelope), bytes: envelope.len() as u64 };
        let mut files = vec![file(ENVELOPE_TYPE, &statement, Some(scratch.path().to_owned()))?];
        for (part, path) in parts {
            files.push(file(INDEX_TYPE, part, Some(path.clone()))?);
        }
        for part in older {
            files.push(file(INDEX_TYPE, part, None)?);
        }
        self.0.push(ARTIFACT_TYPE, &files)?;
        Ok(())
    }
}
