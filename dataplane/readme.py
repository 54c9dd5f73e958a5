"""The README.txt beside every manifest: how to restore without this software. Pure."""

from dataplane.manifest import FORMAT, Manifest

SCRIPT_BEGINS = "# --- restore.py ---"
SCRIPT_ENDS = "# --- end of restore.py ---"

_SCRIPT = """
import hashlib, json, pathlib, sys
import numpy as np
import pyarrow.parquet as pq
from pymilvus import DataType, Function, FunctionType, MilvusClient

folder, uri, token = pathlib.Path(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:4])
as_inserted = {"JSON": json.loads, "SPARSE_FLOAT_VECTOR": dict, "BFLOAT16_VECTOR": b"".join,
               "FLOAT16_VECTOR": lambda value: np.array(value, np.float16).tobytes(),
               "INT8_VECTOR": lambda value: np.array(value, np.int8).tobytes()}
manifest = json.loads((folder / "manifest.json").read_text("utf-8"))["manifest"]
for entry in manifest["collections"]:
    if entry["database"] not in MilvusClient(uri, token=token).list_databases():
        MilvusClient(uri, token=token).create_database(entry["database"])
    client = MilvusClient(uri, token=token, db_name=entry["database"])
    name, fields = entry["name"], entry["schema"]["fields"]
    stored = [field for field in fields if not field["is_function_output"]]
    if client.has_collection(name):
        sys.exit(f"{name} exists already: rename or drop it first")
    schema = MilvusClient.create_schema(enable_dynamic_field=entry["schema"]["has_dynamic_field"])
    for field in fields:
        options = dict(field["params"])
        if field["element_type"]:
            options["element_type"] = DataType[field["element_type"]]
        if field["default"] is not None:
            options["default_value"] = field["default"]
        schema.add_field(field["name"], DataType[field["type"]], is_primary=field["is_primary"],
                         nullable=field["is_nullable"], is_partition_key=field["is_partition_key"], **options)
    for made in entry["schema"]["functions"]:
        schema.add_function(Function(made["name"], FunctionType[made["type"]], made["inputs"], made["outputs"],
                                     made["description"], made["params"]))
    client.create_collection(name, schema=schema, properties=entry["properties"])
    for partition in {chunk["partition"] for chunk in entry["chunks"]} - {"", "_default"}:
        client.create_partition(name, partition)
    for chunk in entry["chunks"]:
        path = folder.parent.parent / "chunks" / chunk["sha256"][:2] / (chunk["sha256"] + ".parquet")
        if hashlib.sha256(path.read_bytes()).hexdigest() != chunk["sha256"]:
            sys.exit(f"{path} is damaged: fetch it from another region")
        rows = pq.read_table(path).to_pylist()
        for row in rows:
            for field in stored:
                if row[field["name"]] is not None and field["type"] in as_inserted:
                    row[field["name"]] = as_inserted[field["type"]](row[field["name"]])
            row.update(json.loads(row.pop("$meta", "{}")))
        for start in range(0, len(rows), 1000):
            client.insert(name, rows[start:start + 1000], partition_name=chunk["partition"])
    for index in entry["indexes"]:
        indexes = client.prepare_index_params()
        indexes.add_index(index["field"], index_type=index["type"], metric_type=index["metric"],
                          index_name=index["name"], params=index["params"])
        client.create_index(name, indexes)
    client.load_collection(name)
    print(name, entry["row_count"], "rows")
"""


def readme(manifest: Manifest) -> str:
    """Plain text; holds nothing that the manifest does not."""
    cluster, backup = manifest.cluster_id, manifest.backup_id
    collections = "\n".join(
        f"  {entry.database}.{entry.name}: {entry.row_count} rows in {len(entry.chunks)} chunks"
        for entry in manifest.collections
    )
    left_out = "\n".join(f"  {exclusion.what}: {exclusion.why}" for exclusion in manifest.exclusions) or "  nothing"
    noted = "\n".join(f"  {note}" for note in manifest.notes) or "  nothing"
    return f"""Backup {backup} of cluster {manifest.cluster_name} ({cluster})
Taken in {manifest.region} on {manifest.created_at:%Y-%m-%d %H:%M} UTC, {manifest.size_bytes} bytes. Format {FORMAT}.

Holds
{collections}

Left out
{left_out}

Of what moment
  {manifest.point_in_time or "not written down"}

Noted
{noted}

The script restores databases, collections, partitions, rows and indexes. Users, roles, privilege groups, aliases,
consistency levels and shard counts are in the manifest, to be set by hand.

What lies where
  clusters/{cluster}/backups/{backup}/manifest.json   schemas, indexes, and the chunks of each collection
  clusters/{cluster}/chunks/ab/ab12...parquet         rows; a chunk's name is the SHA-256 of its bytes

To see whether a chunk is intact, compare its name with what this prints:
  sha256sum clusters/{cluster}/chunks/*/*.parquet

To restore without the software that made this backup, with Python 3.11:
  1. Get the folder clusters/{cluster} from the store, with both folders in it.
  2. python3 -m venv restore && restore/bin/pip install pymilvus pyarrow
  3. Save the lines below as restore.py. They stop rather than write over a collection that exists.
  4. restore/bin/python restore.py clusters/{cluster}/backups/{backup} http://HOST:19530 TOKEN

{SCRIPT_BEGINS}{_SCRIPT}{SCRIPT_ENDS}
"""
