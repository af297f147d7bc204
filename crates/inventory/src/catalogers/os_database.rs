//! What one package database of an operating system may cost, and what was read of it so far.
//!
//! Databases are small, but what they say need not be: directories and names are kept apart, so a hostile one can name
//! one long directory a million times over; and an entry of twenty bytes costs hundreds once it is a package.

use model::gap::GapKind;
use model::package::PackageType;

use crate::fact::{Fact, PackageFact, Parsed, Problem};

/// How many packages one database may have. All of Debian 12 has 63,000.
const PACKAGES_MAX: usize = 100_000;
/// How many problems of one database are listed one by one; a file of garbage has one per page or paragraph.
const PROBLEMS_MAX: usize = 16;
/// The bytes of all paths of one database. The 768 packages of a build machine own 126,000 paths in
/// 8 MB.
const PATHS_BYTES_MAX: usize = 128 << 20;
/// How many paths one database may have, since each costs more memory than its bytes.
const PATHS_MAX: usize = 2_000_000;

/// What was read of one database so far.
#[derive(Default)]
pub(super) struct Database {
    packages: Vec<PackageFact>,
    packages_left_out: usize,
    problems: Vec<Problem>,
    problems_left_out: usize,
}

impl Database {
    /// Keeps a package.
    pub(super) fn add(&mut self, package: PackageFact) {
        if self.packages.len() < PACKAGES_MAX {
            self.packages.push(package);
        } else {
            self.packages_left_out += 1;
        }
    }

    /// Keeps a problem, or counts it when there are many already.
    pub(super) fn report(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_left_out += 1;
        }
    }

    /// The packages in an order that does not depend on the database's own, so that documents can be compared.
    pub(super) fn finish(mut self) -> Parsed {
        if self.problems_left_out > 0 {
            self.problems.push(malformed(format!("{} more problems like these", self.problems_left_out)));
        }
        if self.packages_left_out > 0 {
            let detail = format!("{} packages beyond the {PACKAGES_MAX} that are read", self.packages_left_out);
            self.problems.push(problem(GapKind::LimitExceeded, detail));
        }
        self.packages.sort_by(|a, b| (&a.name, &a.version, &a.arch).cmp(&(&b.name, &b.version, &b.arch)));
        Parsed { facts: vec![Fact::Database(self.packages)], problems: self.problems }
    }
}

/// A problem with the file itself.
pub(super) fn problem(kind: GapKind, detail: impl Into<String>) -> Problem {
    Problem { kind, detail: detail.into(), inside: None }
}

/// The file, or a part of it, is not what it should be.
pub(super) fn malformed(detail: impl Into<String>) -> Problem {
    problem(GapKind::Malformed, detail)
}

/// More paths than a [`PathBudget`] allows.
pub(super) fn too_many_paths() -> Problem {
    problem(GapKind::LimitExceeded, "more paths than are kept of one database")
}

/// The paths of one package that has a list of its own, as far as they fit; each begins with a slash in the result.
pub(super) fn owns<'a>(kind: PackageType, package: &str, files: impl Iterator<Item = &'a str>) -> Parsed {
    let (mut budget, mut paths) = (PathBudget::default(), Vec::new());
    let mut problems = Vec::new();
    for file in files {
        if !budget.join("", file, &mut paths) {
            problems.push(too_many_paths());
            break;
        }
    }
    Parsed { facts: vec![Fact::Owns { kind, package: package.to_owned(), paths }], problems }
}

/// What may still be kept of one database's paths.
pub(super) struct PathBudget {
    bytes: usize,
    paths: usize,
}

impl Default for PathBudget {
    fn default() -> Self {
        Self { bytes: PATHS_BYTES_MAX, paths: PATHS_MAX }
    }
}

impl PathBudget {
    /// Keeps the path `directory` + `name` with exactly one slash before and between; false when the budget is spent.
    pub(super) fn join(&mut self, directory: &str, name: &str, into: &mut Vec<String>) -> bool {
        let directory = directory.trim_matches('/');
        let size = directory.len() + name.len() + 2;
        if size > self.bytes || self.paths == 0 {
            return false;
        }
        self.bytes -= size;
        self.paths -= 1;
        let mut path = String::with_capacity(size);
        path.push('/');
        if !directory.is_empty() {
            path.push_str(directory);
            path.push('/');
        }
        path.push_str(name);
        into.push(path);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let mut database = Database::default();
        for number in 0..PACKAGES_MAX + 3 {
            database.add(PackageFact::new(PackageType::Deb, "a", ""));
            if number < PROBLEMS_MAX + 2 {
                database.report(malformed("x"));
            }
        }
        let details: Vec<_> =
            database.finish().problems.split_off(PROBLEMS_MAX).into_iter().map(|p| p.detail).collect();
        assert_eq!(details, ["2 more problems like these", "3 packages beyond the 100000 that are read"]);
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        let mut paths = Vec::new();
        for (directory, name) in [("", "init"), ("/", "init"), ("usr/bin", "env"), ("/usr/bin/", "env")] {
            assert!(PathBudget::default().join(directory, name, &mut paths));
        }
        assert_eq!(paths, ["/init", "/init", "/usr/bin/env", "/usr/bin/env"]);
    }

    #[test]
    fn a_long_directory_named_again_and_again_is_cut_off() {
        let (mut budget, mut paths) = (PathBudget::default(), Vec::new());
        let directory = "d".repeat(1 << 20);
        while budget.join(&directory, "f", &mut paths) {}
        assert_eq!(paths.len(), 127);
    }
}
