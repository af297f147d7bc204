//! The reader of backups.

use server::backup::format::Reader;
use store::{Kind, Table};

/// A backup of two tables, before it is compressed.
pub(super) const SEEDS: &[&str] = &[
    "{\"dogwatch_backup\":{\"format\":1,\"schema\":1,\"at\":1,\"program\":\"dogwatch 0.1.0\"}}\n\
     {\"table\":{\"name\":\"image\",\"columns\":[\"id\",\"risk\",\"inventory\"]}}\n{\"row\":[1,\"0.5\",\"AAE=\"]}\n{\"row\":[null,null,null]}\n\
     {\"table\":{\"name\":\"tag\",\"columns\":[\"name\"]}}\n{\"row\":[\"a\"]}\n\
     {\"index\":{\"bytes\":3}}\nabc{\"end\":{\"sha256\":\"00\"}}\n",
];

/// The reader of backups, given the bytes as they are, and as what was compressed.
pub(super) fn reader() -> impl Fn(&[u8]) {
    let column = |name: &str, kind: Kind| (name.to_owned(), kind);
    let image = vec![column("id", Kind::Integer), column("risk", Kind::Real), column("inventory", Kind::Bytes)];
    let tables = [
        Table { name: "image".into(), columns: image },
        Table { name: "tag".into(), columns: vec![column("name", Kind::Text)] },
    ];
    let read = move |bytes: &[u8]| -> Result<(), server::backup::BackupError> {
        let (mut reader, _) = Reader::begin(bytes)?;
        for table in &tables {
            reader.table(table)?;
            while let Some(row) = reader.row(table)? {
                assert_eq!(row.len(), table.columns.len());
            }
        }
        reader.index(&mut std::io::sink())?;
        reader.end()
    };
    move |bytes| {
        _ = read(bytes);
        _ = read(&zstd::encode_all(bytes, 1).unwrap_or_default());
    }
}
