//! Who may do what: tokens with a role, bound to everything, a team or a system.

use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::TokenRow;

use crate::claim::hex_digest;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also uploads claims and reports workloads: a build, an engine's watcher.
    Developer,
    /// Owns images and layers: also publishes advisories about them.
    Owner,
    /// Decides about the risks of a system.
    BusinessOwner,
    /// Security: policies, exceptions, owner rules, the audit log.
    Security,
    /// Everything, tokens included.
    Administrator,
}

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Anybody, also without a token.
    Open,
    /// To read what is in the token's scope.
    Read,
    /// To claim what is inside something, and to report what runs.
    Report,
    /// To publish advisories.
    Advise,
    /// To put policies, exceptions and the catalog in force.
    Rule,
    /// To read the audit log.
    Audit,
    /// To make and revoke tokens.
    Administer,
}

/// All roles, the least first.
pub const ROLES: [Role; 6] =
    [Role::Viewer, Role::Developer, Role::Owner, Role::BusinessOwner, Role::Security, Role::Administrator];

impl Role {
    /// As it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Owner => "owner",
            Self::BusinessOwner => "business-owner",
            Self::Security => "security",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        ROLES.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether the role has a permission, for a token that is bound to a team or system, or not.
    pub fn may(self, permission: Permission, is_bound: bool) -> bool {
        match permission {
            Permission::Open | Permission::Read => true,
            Permission::Report => matches!(self, Self::Developer | Self::Owner | Self::Security | Self::Administrator),
            // A token that is bound to a part may only about images and layers of that part.
            Permission::Advise => matches!(self, Self::Owner | Self::Security | Self::Administrator),
            // These concern everybody, so a token that is bound to a part may not.
            Permission::Rule => !is_bound && matches!(self, Self::Security | Self::Administrator),
            Permission::Audit => !is_bound && matches!(self, Self::Security | Self::Administrator),
            Permission::Administer => !is_bound && self == Self::Administrator,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's name, for the log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Empty for everything, `team:NAME`, `system:NAME`.
    pub scope: String,
}

/// A new token: what is kept of it, and the secret, which is told once.
pub fn new_token(name: &str, role: Role, scope: &str, expires_at: Option<i64>) -> (TokenRow, String) {
    let mut bytes = [0u8; 40];
    // The system's source of randomness does not fail on Linux once it is seeded, which it is before user space starts.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        std::process::abort();
    }
    let secret = format!("dwt_{}", hex::encode(&bytes[8..]));
    let row = TokenRow {
        id: hex::encode(&bytes[..8]),
        name: name.to_owned(),
        hash: hash(&secret),
        role: role.as_str().to_owned(),
        scope: scope.to_owned(),
        created_at: 0,
        expires_at,
        revoked_at: None,
    };
    (row, secret)
}

/// What is kept of a secret. It has 256 random bits, so a fast hash cannot be turned back.
pub fn hash(secret: &str) -> String {
    hex_digest(secret.as_bytes())
}

/// Who a token stands for, if it may be used now.
pub fn caller(row: &TokenRow, now: i64) -> Option<Caller> {
    if row.revoked_at.is_some() || row.expires_at.is_some_and(|at| at <= now) {
        return None;
    }
    Some(Caller { name: row.name.clone(), role: Role::parse(&row.role)?, scope: row.scope.clone() })
}

/// Whether a text is a scope.
pub fn is_scope(text: &str) -> bool {
    text.is_empty()
        || text.split_once(':').is_some_and(|(kind, name)| matches!(kind, "team" | "system") && !name.is_empty())
}
