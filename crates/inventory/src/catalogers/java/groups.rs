//! Groups of widely used artifacts whose jars do not say them: their builds write no `pom.properties`, and a manifest
//! that names no group, or one that is not Maven's.

/// Whether a vendor's id is that of a whole organisation, whose projects have groups of their own.
pub(super) fn is_organisation(vendor_id: &str) -> bool {
    matches!(
        vendor_id,
        "org.apache" | "com.sun" | "com.oracle" | "com.google" | "com.ibm" | "org.eclipse" | "com.mysql"
    )
}

/// A vendor's group for one of its projects: of `hibernate-core`, whose bundle is `org.hibernate.orm.core` and whose vendor
/// `org.hibernate`, it is `org.hibernate.orm`.
pub(super) fn below_vendor<'a>(vendor_id: &str, bundle: &'a str, artifact: &str) -> Option<&'a str> {
    let (group, last) = bundle.rsplit_once('.')?;
    let project = group.strip_prefix(vendor_id)?;
    let is_its_part = artifact.strip_suffix(last).is_some_and(|rest| rest.ends_with('-'));
    (is_its_part && project.starts_with('.')).then_some(group)
}

/// The group that an artifact is published under. Only names that one group publishes are here.
pub(super) fn well_known(artifact: &str) -> Option<&'static str> {
    if let Some(&own_name) = NAMED_LIKE_THEIR_GROUP.iter().find(|&&name| name == artifact) {
        return Some(own_name);
    }
    let exact = EXACT.iter().find(|(_, artifacts)| artifacts.contains(&artifact)).map(|&(group, _)| group);
    exact.or_else(|| PREFIXES.iter().find(|(prefix, _)| artifact.starts_with(prefix)).map(|&(_, group)| group))
}

/// From before groups were written like domains.
const NAMED_LIKE_THEIR_GROUP: &[&str] = &[
    "antlr",
    "aopalliance",
    "classworlds",
    "commons-beanutils",
    "commons-chain",
    "commons-cli",
    "commons-codec",
    "commons-collections",
    "commons-configuration",
    "commons-dbcp",
    "commons-digester",
    "commons-discovery",
    "commons-el",
    "commons-fileupload",
    "commons-httpclient",
    "commons-io",
    "commons-jxpath",
    "commons-lang",
    "commons-logging",
    "commons-net",
    "commons-pool",
    "commons-validator",
    "dom4j",
    "jdom",
    "junit",
    "log4j",
    "oro",
    "xalan",
    "xml-apis",
    "xmlbeans",
];

const EXACT: &[(&str, &[&str])] = &[
    (
        "org.springframework",
        &[
            "spring",
            "spring-aop",
            "spring-aspects",
            "spring-beans",
            "spring-context",
            "spring-context-indexer",
            "spring-context-support",
            "spring-core",
            "spring-expression",
            "spring-instrument",
            "spring-jcl",
            "spring-jdbc",
            "spring-jms",
            "spring-messaging",
            "spring-orm",
            "spring-oxm",
            "spring-r2dbc",
            "spring-test",
            "spring-tx",
            "spring-web",
            "spring-webflux",
            "spring-webmvc",
            "spring-websocket",
        ],
    ),
    ("org.springframework.amqp", &["spring-amqp", "spring-rabbit"]),
    ("org.springframework.kafka", &["spring-kafka"]),
    ("org.springframework.ldap", &["spring-ldap-core"]),
    ("org.apache.tomcat", &["tomcat-catalina", "tomcat-coyote", "tomcat-jasper", "tomcat-util", "tomcat-juli"]),
    ("org.apache.ant", &["ant", "ant-launcher"]),
    ("org.apache.velocity", &["velocity", "velocity-tools"]),
    ("org.codehaus.groovy", &["groovy", "groovy-all"]),
    ("com.squareup.okhttp3", &["okhttp", "logging-interceptor", "okhttp-tls"]),
    ("com.squareup.okio", &["okio", "okio-jvm"]),
    ("com.mysql", &["mysql-connector-j"]),
    ("mysql", &["mysql-connector-java"]),
    ("org.postgresql", &["postgresql"]),
    ("com.microsoft.sqlserver", &["mssql-jdbc"]),
    ("com.h2database", &["h2"]),
    ("org.hsqldb", &["hsqldb"]),
    ("javax.mail", &["mail"]),
    ("xerces", &["xercesImpl"]),
    ("org.tukaani", &["xz"]),
    ("org.ow2.asm", &["asm", "asm-analysis", "asm-commons", "asm-tree", "asm-util"]),
    ("com.google.code.findbugs", &["jsr305"]),
    ("com.mchange", &["c3p0", "mchange-commons-java"]),
    ("com.oracle.database.jdbc", &["ojdbc8", "ojdbc10", "ojdbc11"]),
    ("com.squareup.retrofit2", &["retrofit"]),
    (
        "io.grpc",
        &[
            "grpc-api",
            "grpc-core",
            "grpc-context",
            "grpc-netty",
            "grpc-netty-shaded",
            "grpc-okhttp",
            "grpc-protobuf",
            "grpc-stub",
        ],
    ),
    (
        "io.micronaut",
        &[
            "micronaut-core",
            "micronaut-http",
            "micronaut-http-client",
            "micronaut-http-server",
            "micronaut-http-server-netty",
        ],
    ),
    ("javax.inject", &["javax.inject"]),
    ("net.java.dev.jna", &["jna", "jna-platform"]),
    ("org.apache.derby", &["derby", "derbyclient", "derbynet"]),
    ("org.apache.ivy", &["ivy"]),
    (
        "org.apache.kafka",
        &[
            "connect-api",
            "connect-json",
            "connect-runtime",
            "connect-transforms",
            "kafka-clients",
            "kafka-group-coordinator",
            "kafka-group-coordinator-api",
            "kafka-log4j-appender",
            "kafka-metadata",
            "kafka-raft",
            "kafka-server",
            "kafka-server-common",
            "kafka-shell",
            "kafka-storage",
            "kafka-storage-api",
            "kafka-streams",
            "kafka-tools",
            "kafka-tools-api",
            "kafka-transaction-coordinator",
            "kafka_2.11",
            "kafka_2.12",
            "kafka_2.13",
        ],
    ),
    ("org.apache.thrift", &["libthrift"]),
    ("org.hibernate.common", &["hibernate-commons-annotations"]),
    ("org.lz4", &["lz4-java", "lz4-pure-java"]),
    ("org.mozilla", &["rhino"]),
    ("org.pcollections", &["pcollections"]),
    ("org.quartz-scheduler", &["quartz", "quartz-jobs"]),
    ("net.minidev", &["json-smart", "accessors-smart"]),
    ("com.github.ben-manes.caffeine", &["caffeine"]),
    ("com.sun.xml.bind", &["jaxb-impl", "jaxb-xjc"]),
    ("javax.activation", &["activation"]),
    ("javax.servlet.jsp", &["jsp-api"]),
    ("javax.xml.bind", &["jaxb-api"]),
    ("org.aspectj", &["aspectjrt", "aspectjtools", "aspectjweaver"]),
    ("org.checkerframework", &["checker-compat-qual", "checker-qual"]),
    (
        "org.codehaus.jackson",
        &["jackson-core-asl", "jackson-jaxrs", "jackson-mapper-asl", "jackson-mrbean", "jackson-smile", "jackson-xc"],
    ),
    ("software.amazon.awssdk", &["third-party-jackson-core", "third-party-jackson-dataformat-cbor"]),
];

const PREFIXES: &[(&str, &str)] = &[
    ("spring-boot", "org.springframework.boot"),
    ("spring-security-", "org.springframework.security"),
    ("spring-data-", "org.springframework.data"),
    ("spring-integration-", "org.springframework.integration"),
    ("spring-cloud-", "org.springframework.cloud"),
    ("spring-session-", "org.springframework.session"),
    ("spring-batch-", "org.springframework.batch"),
    ("tomcat-embed-", "org.apache.tomcat.embed"),
    ("armeria", "com.linecorp.armeria"),
    ("solr-", "org.apache.solr"),
    ("lucene-", "org.apache.lucene"),
    ("kotlin-", "org.jetbrains.kotlin"),
    ("bcprov-", "org.bouncycastle"),
    ("bcpkix-", "org.bouncycastle"),
    ("bcutil-", "org.bouncycastle"),
    ("bctls-", "org.bouncycastle"),
    ("bcpg-", "org.bouncycastle"),
    ("bcmail-", "org.bouncycastle"),
    ("bc-fips", "org.bouncycastle"),
    ("ktor-", "io.ktor"),
    ("micrometer-", "io.micrometer"),
];
