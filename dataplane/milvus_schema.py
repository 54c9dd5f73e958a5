"""A schema of the manifest as pymilvus wants it for a new collection."""

from typing import Any

from dataplane.manifest import Schema


def pymilvus_schema(schema: Schema) -> Any:
    """The `pymilvus.CollectionSchema` that `schema` describes. Raises what pymilvus raises of what it cannot be."""
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    made = MilvusClient.create_schema(
        auto_id=schema.primary.auto_id,
        enable_dynamic_field=schema.has_dynamic_field,
        description=schema.description,
    )
    for entry in schema.fields:
        options: dict[str, Any] = dict(entry.params)
        if entry.element_type:
            options["element_type"] = DataType[entry.element_type]
        if entry.default is not None:
            options["default_value"] = entry.default
        if entry.is_clustering_key:
            options["is_clustering_key"] = True
        made.add_field(
            entry.name,
            DataType[entry.type],
            description=entry.description,
            is_primary=entry.is_primary,
            auto_id=entry.auto_id,
            nullable=entry.is_nullable,
            is_partition_key=entry.is_partition_key,
            **options,
        )
    for function in schema.functions:
        made.add_function(
            Function(
                name=function.name,
                function_type=FunctionType[function.type],
                description=function.description,
                input_field_names=list(function.inputs),
                output_field_names=list(function.outputs),
                params=dict(function.params),
            )
        )
    return made


def forget_schemas() -> None:
    """pymilvus packs rows by the schema it remembers under a name, and does not notice when one is renamed away.

    A second collection made under the first one's former name would be written in the first one's types.
    """
    from pymilvus.client.cache import GlobalCache

    GlobalCache.schema.clear()
