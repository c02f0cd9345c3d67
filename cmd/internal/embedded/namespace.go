//go:build !no_embedded

package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	schema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// register puts the namespace into the database before the server reads it, so
// that no client has to wait for the server's caches. It is safe to repeat:
// retention and missing search attributes follow the options.
func register(ctx context.Context, c *config.SQL, o Options) error {
	db, err := sql.NewSQLDB(sqlplugin.DbKindMain, c, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	fresh, err := schema.NewNamespaceConfig(clusterName, o.Namespace, false, nil)
	if err != nil {
		return err
	}
	if err := schema.CreateNamespaces(c, fresh); err != nil {
		return err
	}
	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &o.Namespace})
	if err != nil {
		return err
	}
	row := rows[0]
	serializer := serialization.NewSerializer()
	detail, err := serializer.NamespaceDetailFromBlob(&common.DataBlob{Data: row.Data, EncodingType: enums.ENCODING_TYPE_PROTO3})
	if err != nil {
		return err
	}
	if err := configure(detail.GetConfig(), o); err != nil {
		return err
	}
	blob, err := serializer.NamespaceDetailToBlob(detail)
	if err != nil {
		return err
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	_, err = db.UpdateNamespace(ctx, &row)
	return err
}

// configure gives every search attribute a column. Existing attributes keep their
// column, since closed cases are stored in it.
func configure(c *persistence.NamespaceConfig, o Options) error {
	c.Retention = durationpb.New(o.Retention)
	columns := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	if c.CustomSearchAttributeAliases == nil {
		c.CustomSearchAttributeAliases = map[string]string{}
	}
	names := map[string]string{}
	for column, name := range c.CustomSearchAttributeAliases {
		names[name] = column
	}
	for _, name := range slices.Sorted(maps.Keys(o.SearchAttributes)) {
		kind := o.SearchAttributes[name]
		if column, ok := names[name]; ok {
			if columns[column] != kind {
				return fmt.Errorf("search attribute %s has type %s and must have type %s", name, columns[column], kind)
			}
			continue
		}
		column, ok := freeColumn(columns, c.CustomSearchAttributeAliases, kind)
		if !ok {
			return fmt.Errorf("there is no column left for search attribute %s of type %s", name, kind)
		}
		c.CustomSearchAttributeAliases[column] = name
	}
	return nil
}

func freeColumn(columns map[string]enums.IndexedValueType, taken map[string]string, kind enums.IndexedValueType) (string, bool) {
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if _, used := taken[column]; !used && columns[column] == kind {
			return column, true
		}
	}
	return "", false
}
