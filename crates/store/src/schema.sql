-- One text for SQLite and PostgreSQL. Times are microseconds since 1970, UTC; flags are 0 or 1. An interval is open while `until_at` is
-- null. Numbers of packages, sets, layers and images are given out by the one row of `clock`, in the order of commits.

CREATE TABLE clock (
  only_row BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,            -- of the newest write; each is later than the one before, whatever the machine's clock says
  before_at BIGINT NOT NULL,     -- of the write before that
  package BIGINT NOT NULL,
  package_set BIGINT NOT NULL,
  layer BIGINT NOT NULL,
  image BIGINT NOT NULL,
  change BIGINT NOT NULL,
  audit BIGINT NOT NULL
);
INSERT INTO clock VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);

-- What is in force: the index's digest, documents (policies, exceptions, catalog, owner rules, thresholds).
CREATE TABLE setting (
  name TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  body TEXT NOT NULL,
  actor TEXT NOT NULL,
  PRIMARY KEY (name, since_at)
);

-- A package version as matching sees it: name, version, source, module, distribution.
CREATE TABLE package (
  id BIGINT PRIMARY KEY,
  key_digest TEXT NOT NULL UNIQUE,
  purl TEXT NOT NULL,
  name TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX package_name ON package (name, id);
-- The names under which advisories speak of it.
CREATE TABLE package_query (
  ecosystem TEXT NOT NULL,
  name TEXT NOT NULL,
  package_id BIGINT NOT NULL,
  PRIMARY KEY (ecosystem, name, package_id)
);
CREATE INDEX package_query_name ON package_query (name, package_id);

-- What one layer brings to an image, shared by all images to which it brings the same.
CREATE TABLE package_set (
  id BIGINT PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  members BYTEA NOT NULL         -- its packages once more, four bytes each, low byte first: what is read at start
);
CREATE TABLE package_set_member (
  set_id BIGINT NOT NULL,
  package_id BIGINT NOT NULL,
  PRIMARY KEY (set_id, package_id)
);

CREATE TABLE layer (
  id BIGINT PRIMARY KEY,
  chain TEXT NOT NULL UNIQUE,    -- digest over the diff ids up to and with this one
  diff_id TEXT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX layer_diff_id ON layer (diff_id);

CREATE TABLE image (
  id BIGINT PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  image_id TEXT NOT NULL,        -- the digest of its configuration, or ''
  kind TEXT NOT NULL,
  name TEXT NOT NULL,            -- the newest it was claimed under
  base TEXT NOT NULL,            -- '' where none was recognised
  base_digest TEXT NOT NULL,
  summary TEXT NOT NULL,         -- the artifact without layers and history, and what judging needs of the inventory
  inventory BYTEA NOT NULL,      -- the whole claim, zstd
  inventory_digest TEXT NOT NULL,
  cataloged_by TEXT NOT NULL,
  first_at BIGINT NOT NULL,
  first_stage TEXT NOT NULL,
  -- As of now; the past is in `verdict` and `ownership`.
  outcome TEXT NOT NULL,
  violations BIGINT NOT NULL,
  findings BIGINT NOT NULL,
  critical BIGINT NOT NULL,
  high BIGINT NOT NULL,
  risk DOUBLE PRECISION NOT NULL,
  team TEXT NOT NULL,
  system TEXT NOT NULL,
  component TEXT NOT NULL,
  running BIGINT NOT NULL,       -- how many workloads run it
  judged_at BIGINT NOT NULL,
  judged_with TEXT NOT NULL
);
CREATE INDEX image_image_id ON image (image_id);
CREATE INDEX image_name ON image (name, id);
CREATE INDEX image_team ON image (team, id);
CREATE INDEX image_system ON image (system, id);
CREATE INDEX image_base ON image (base, id);
CREATE INDEX image_base_digest ON image (base_digest, id);
CREATE INDEX image_risk ON image (risk, id);
CREATE INDEX image_first ON image (first_at, id);
CREATE TABLE image_layer (
  image_id BIGINT NOT NULL,
  position BIGINT NOT NULL,
  layer_id BIGINT NOT NULL,      -- 0 where the packages are not in a layer
  set_id BIGINT NOT NULL,
  PRIMARY KEY (image_id, position)
);
CREATE INDEX image_layer_layer ON image_layer (layer_id, image_id);
CREATE INDEX image_layer_set ON image_layer (set_id, image_id);
-- Images that must be judged again.
CREATE TABLE behind (
  image_id BIGINT PRIMARY KEY,
  because TEXT NOT NULL
);

-- Who said what about an image.
CREATE TABLE claim (
  digest TEXT NOT NULL,          -- of the uploaded document
  image_id BIGINT NOT NULL,
  claimed_by TEXT NOT NULL,
  claimed_at BIGINT NOT NULL,
  tool TEXT NOT NULL,
  inventory_digest TEXT NOT NULL,
  outcome TEXT NOT NULL,         -- the claimant's own verdict, '' if none
  outcome_at BIGINT NOT NULL,
  PRIMARY KEY (digest, claimed_by)
);
CREATE INDEX claim_image ON claim (image_id, claimed_at);

-- Documents on their way, part by part: gone when they are complete, or a day later.
CREATE TABLE upload (
  digest TEXT NOT NULL,          -- SHA-256 of all its bytes as they are sent
  sender TEXT NOT NULL,
  part_offset BIGINT NOT NULL,
  at BIGINT NOT NULL,
  part BYTEA NOT NULL,
  PRIMARY KEY (digest, sender, part_offset)
);

CREATE TABLE tag (
  name TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  image_id BIGINT NOT NULL,
  PRIMARY KEY (name, since_at)
);
CREATE INDEX tag_image ON tag (image_id, since_at);

-- One vulnerability in one package version, while it was known and told alike.
CREATE TABLE finding (
  package_id BIGINT NOT NULL,
  vulnerability TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  severity BIGINT NOT NULL,
  score DOUBLE PRECISION NOT NULL,
  fixable BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (package_id, vulnerability, since_at)
);
CREATE INDEX finding_vulnerability ON finding (vulnerability, package_id);
CREATE INDEX finding_since ON finding (since_at);
CREATE INDEX finding_until ON finding (until_at);

-- Scores and exploitation over time, per scorer and version (`NVD 3.1`, `EPSS`, `KEV`).
CREATE TABLE score (
  vulnerability TEXT NOT NULL,
  scorer TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  score DOUBLE PRECISION NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (vulnerability, scorer, since_at)
);

CREATE TABLE verdict (
  image_id BIGINT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  outcome TEXT NOT NULL,
  violations BIGINT NOT NULL,
  findings BIGINT NOT NULL,
  critical BIGINT NOT NULL,
  high BIGINT NOT NULL,
  risk DOUBLE PRECISION NOT NULL,
  judged_with TEXT NOT NULL,
  PRIMARY KEY (image_id, since_at)
);
CREATE INDEX verdict_since ON verdict (since_at);

-- Whose an image is (subject `image:N`) or a layer (`layer:N`).
CREATE TABLE ownership (
  subject TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  team TEXT NOT NULL,
  system TEXT NOT NULL,
  component TEXT NOT NULL,
  how TEXT NOT NULL,
  PRIMARY KEY (subject, since_at)
);
CREATE INDEX ownership_team ON ownership (team, subject);

CREATE TABLE workload (
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  since_at BIGINT NOT NULL,
  until_at BIGINT,
  image_digest TEXT NOT NULL,
  image_name TEXT NOT NULL,
  production BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (environment, name, since_at)
);
CREATE INDEX workload_image ON workload (image_digest, until_at);

CREATE TABLE change (
  number BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  image_id BIGINT NOT NULL,      -- 0 where it is about no image
  vulnerability TEXT NOT NULL,
  team TEXT NOT NULL,
  system TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX change_image ON change (image_id, number);
CREATE INDEX change_team ON change (team, number);
CREATE INDEX change_kind ON change (kind, number);

CREATE TABLE token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,           -- '' for everything, `team:NAME`, `system:NAME`
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
);

CREATE TABLE audit (
  number BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  chain TEXT NOT NULL            -- digest over the entry before and this one
);
CREATE INDEX package_set_member_package ON package_set_member (package_id, set_id);
