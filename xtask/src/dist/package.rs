//! A built program as an archive, a Debian package and an image, with bills of materials and checksums.
//!
//! Every file has the commit's time and belongs to root, lists are sorted, and nothing says on which machine it was made.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::image::{Image, Moment, tar_of};
use crate::machine;

/// The list of checksums.
pub const SUMS: &str = "SHA256SUMS";

/// Where a Debian system keeps the certificates of public authorities.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// A user who owns nothing.
const USER: &str = "65534:65534";

/// One program to release.
#[derive(Debug)]
pub struct Release<'a> {
    /// The processor, in Debian's words.
    pub kind: &'a str,
    /// The program.
    pub binary: &'a Path,
    /// A program of the same commit that runs here: it writes pages, completions and bills of materials.
    pub speaker: &'a Path,
    /// When the commit was made.
    pub made: &'a Moment,
    /// The repository.
    pub root: &'a Path,
}

impl Release<'_> {
    /// Writes everything for this program.
    pub fn write(&self, out: &Path) -> Result<()> {
        let version = version(self.speaker)?;
        let name = format!("dogwatch-{version}-{}", self.kind);
        let stage = tempfile::tempdir_in(out)?;
        let files = stage.path().join("files");
        self.files(&files)?;
        self.bills(stage.path(), &files, &out.join(&name))?;
        let archive =
            GzEncoder::new(BufWriter::new(File::create(out.join(format!("{name}.tar.gz")))?), Compression::best());
        tar_of(&files, Path::new(&name), self.made.seconds, archive)?.finish()?;
        self.debian(&version, &stage.path().join("debian"), &files, out)?;
        self.image(&version, stage.path(), &files, &out.join(format!("{name}.oci.tar")))
    }

    /// Where files go below `/usr`, as in an installed system.
    fn files(&self, files: &Path) -> Result<()> {
        let place = |path: &str| -> Result<PathBuf> {
            let path = files.join(path);
            fs::create_dir_all(path.parent().context("a directory")?)?;
            Ok(path)
        };
        let binary = place("bin/dogwatch")?;
        fs::copy(self.binary, &binary)?;
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
        let pages = place("share/man/man1/x")?.with_file_name("");
        machine::output(Command::new(self.speaker).arg("man").arg(&pages))?;
        for (shell, path) in [
            ("bash", "share/bash-completion/completions/dogwatch"),
            ("zsh", "share/zsh/vendor-completions/_dogwatch"),
            ("fish", "share/fish/vendor_completions.d/dogwatch.fish"),
        ] {
            fs::write(place(path)?, machine::output(Command::new(self.speaker).args(["completions", shell]))?)?;
        }
        for (from, to) in [("LICENSE", "copyright"), ("README.md", "README.md"), ("CHANGELOG.md", "CHANGELOG.md")] {
            fs::copy(self.root.join(from), place(&format!("share/doc/dogwatch/{to}"))?)?;
        }
        Ok(())
    }

    /// What the program says is in the program.
    fn bills(&self, stage: &Path, files: &Path, out: &Path) -> Result<()> {
        for (format, end) in [("cyclonedx", "cdx.json"), ("spdx", "spdx.json")] {
            let bill = stage.join("bill");
            let mut command = Command::new(self.speaker);
            command.current_dir(files.join("bin")).args(["sbom", "file:dogwatch", "--no-cache", "--quiet"]);
            command.arg("-o").arg(format!("{format}={}", bill.display()));
            machine::run(command)?;
            let mut document: Value = serde_json::from_slice(&fs::read(&bill)?)?;
            let time = match format {
                "cyclonedx" => &mut document["metadata"]["timestamp"],
                _ => &mut document["creationInfo"]["created"],
            };
            ensure!(time.is_string(), "the bill of materials has no time where it is looked for");
            *time = json!(self.made.text);
            fs::write(format!("{}.{end}", out.display()), format!("{document:#}\n"))?;
        }
        Ok(())
    }

    /// Source: deb-control(5); Debian policy, chapters 5 and 12.
    fn debian(&self, version: &str, tree: &Path, files: &Path, out: &Path) -> Result<()> {
        copy_tree(files, &tree.join("usr"))?;
        let documents = tree.join("usr/share/doc/dogwatch");
        // Policy 12.7: the changelog is compressed, and so are pages (12.1); without the time and name of the file.
        for entry in fs::read_dir(tree.join("usr/share/man/man1"))?.flatten() {
            gzip(&entry.path(), &entry.path().with_extension("1.gz"))?;
        }
        gzip(&documents.join("CHANGELOG.md"), &documents.join("changelog.gz"))?;
        fs::write(documents.join("copyright"), COPYRIGHT)?;
        let size: u64 = file_sizes(&tree.join("usr"))?;
        let control = format!(
            "Package: dogwatch\nVersion: {version}\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {}\n\
             Recommends: ca-certificates\nSuggests: git\nSection: admin\nPriority: optional\nDescription: {DESCRIPTION}\n",
            self.kind,
            size.div_ceil(1024),
        );
        fs::create_dir(tree.join("DEBIAN"))?;
        fs::write(tree.join("DEBIAN/control"), control)?;
        set_modes(tree)?;
        let mut build = Command::new("dpkg-deb");
        build
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(tree)
            .arg(out.join(format!("dogwatch_{version}_{}.deb", self.kind)))
            // It gives no file a later time than this one; ours are all later.
            .env("SOURCE_DATE_EPOCH", self.made.seconds.to_string());
        machine::run(build)
    }

    /// The program alone, with the certificates of public authorities and a place for temporary files.
    fn image(&self, version: &str, stage: &Path, files: &Path, out: &Path) -> Result<()> {
        let (layout, tree) = (stage.join("layout"), stage.join("root"));
        fs::create_dir_all(tree.join("usr/bin"))?;
        fs::copy(files.join("bin/dogwatch"), tree.join("usr/bin/dogwatch"))?;
        let certificates = Path::new("/").join(CERTIFICATES);
        if certificates.exists() {
            fs::create_dir_all(tree.join(CERTIFICATES).parent().context("a directory")?)?;
            fs::copy(certificates, tree.join(CERTIFICATES))?;
        }
        fs::create_dir(tree.join("tmp"))?;
        set_modes(&tree)?;
        fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        let mut image = Image::begin_at(&layout, self.made)?;
        image.directory(&tree, "COPY dogwatch, certificates")?;
        image.finish_for(
            self.kind,
            &format!("dogwatch:{version}"),
            &json!({
                "User": USER,
                "Env": ["PATH=/usr/bin", "HOME=/tmp"],
                "Entrypoint": ["/usr/bin/dogwatch"],
                "WorkingDir": "/tmp",
                "Labels": {
                    "org.opencontainers.image.title": "dogwatch",
                    "org.opencontainers.image.version": version,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                    "org.opencontainers.image.created": self.made.text,
                },
            }),
        )?;
        tar_of(&layout, Path::new(""), self.made.seconds, BufWriter::new(File::create(out)?))?;
        Ok(())
    }
}

const MAINTAINER: &str = "The Dogwatch maintainers <maintainers@dogwatch.invalid>";

const DESCRIPTION: &str = "answers whether a container image may ship\n Reads images, directories, hosts and bills of materials, finds what is in \
    them and\n which known vulnerabilities that has, judges it by policies, and says which\n change helps most.";

/// Source: Debian's machine-readable copyright format 1.0.
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: dogwatch\n\n\
    Files: *\nCopyright: The Dogwatch authors\nLicense: Apache-2.0\n On Debian systems the whole text is in\n \
    /usr/share/common-licenses/Apache-2.0.\n";

/// `0.1.0`, as the program says it.
fn version(program: &Path) -> Result<String> {
    let said = machine::output(Command::new(program).arg("--version"))?;
    Ok(said.split_whitespace().nth(1).context("the program does not say its version")?.to_owned())
}

/// Writes the checksums of every file in a directory, as `sha256sum --check` reads them.
pub fn sums(directory: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(directory)?.flatten().filter(|entry| entry.path().is_file() && entry.file_name() != SUMS)
    {
        let hash = hex::encode(Sha256::digest(fs::read(entry.path())?));
        lines.push(format!("{hash}  {}\n", entry.file_name().to_string_lossy()));
    }
    lines.sort_by(|a, b| a[64..].cmp(&b[64..]));
    Ok(fs::write(directory.join(SUMS), lines.concat())?)
}

/// Compresses a file, and removes it.
fn gzip(from: &Path, to: &Path) -> Result<()> {
    let mut encoder = GzEncoder::new(File::create(to)?, Compression::best());
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish()?;
    Ok(fs::remove_file(from)?)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

fn file_sizes(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)?.flatten() {
        sum += if entry.path().is_dir() { file_sizes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

/// The modes of an installed system, whatever the umask here.
fn set_modes(tree: &Path) -> Result<()> {
    for entry in fs::read_dir(tree)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            set_modes(&path)?;
        } else {
            let mode = if path.ends_with("usr/bin/dogwatch") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(fs::set_permissions(tree, fs::Permissions::from_mode(0o755))?)
}
