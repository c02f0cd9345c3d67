//go:build !no_embedded

package embedded

import (
	"context"
	"database/sql"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// The writes of the other services that wait for the disk.

func (t *tables) SaveClusterMetadata(ctx context.Context, row *sqlplugin.ClusterMetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.SaveClusterMetadata, row)
}

func (t *tables) DeleteClusterMetadata(ctx context.Context, filter *sqlplugin.ClusterMetadataFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteClusterMetadata, filter)
}

func (t *tables) UpsertClusterMembership(ctx context.Context, row *sqlplugin.ClusterMembershipRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpsertClusterMembership, row)
}

func (t *tables) PruneClusterMembership(ctx context.Context, filter *sqlplugin.PruneClusterMembershipFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.PruneClusterMembership, filter)
}

func (t *tables) InsertIntoTaskQueues(ctx context.Context, row *sqlplugin.TaskQueuesRow, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(t.to, func() (sql.Result, error) { return t.TableCRUD.InsertIntoTaskQueues(ctx, row, v) })
}

func (t *tables) UpdateTaskQueues(ctx context.Context, row *sqlplugin.TaskQueuesRow, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(t.to, func() (sql.Result, error) { return t.TableCRUD.UpdateTaskQueues(ctx, row, v) })
}

func (t *tables) DeleteFromTaskQueues(ctx context.Context, filter sqlplugin.TaskQueuesFilter, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(t.to, func() (sql.Result, error) { return t.TableCRUD.DeleteFromTaskQueues(ctx, filter, v) })
}

func (t *tables) UpdateTaskQueueUserData(ctx context.Context, request *sqlplugin.UpdateTaskQueueDataRequest) error {
	return t.to.after(func() error { return t.TableCRUD.UpdateTaskQueueUserData(ctx, request) })
}

//nolint:staticcheck // The server's interface has the name.
func (t *tables) AddToBuildIdToTaskQueueMapping(ctx context.Context, request sqlplugin.AddToBuildIdToTaskQueueMapping) error {
	return t.to.after(func() error { return t.TableCRUD.AddToBuildIdToTaskQueueMapping(ctx, request) })
}

//nolint:staticcheck // The server's interface has the name.
func (t *tables) RemoveFromBuildIdToTaskQueueMapping(ctx context.Context, request sqlplugin.RemoveFromBuildIdToTaskQueueMapping) error {
	return t.to.after(func() error { return t.TableCRUD.RemoveFromBuildIdToTaskQueueMapping(ctx, request) })
}

func (t *tables) InsertIntoNamespace(ctx context.Context, rows *sqlplugin.NamespaceRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoNamespace, rows)
}

func (t *tables) UpdateNamespace(ctx context.Context, row *sqlplugin.NamespaceRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateNamespace, row)
}

func (t *tables) DeleteFromNamespace(ctx context.Context, filter sqlplugin.NamespaceFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromNamespace, filter)
}

func (t *tables) UpdateNamespaceMetadata(ctx context.Context, row *sqlplugin.NamespaceMetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateNamespaceMetadata, row)
}

func (t *tables) InitializeNexusEndpointsTableVersion(ctx context.Context) (sql.Result, error) {
	return result(t.to, func() (sql.Result, error) { return t.TableCRUD.InitializeNexusEndpointsTableVersion(ctx) })
}

func (t *tables) IncrementNexusEndpointsTableVersion(ctx context.Context, lastKnownTableVersion int64) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.IncrementNexusEndpointsTableVersion, lastKnownTableVersion)
}

func (t *tables) InsertIntoNexusEndpoints(ctx context.Context, row *sqlplugin.NexusEndpointsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoNexusEndpoints, row)
}

func (t *tables) UpdateNexusEndpoint(ctx context.Context, row *sqlplugin.NexusEndpointsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateNexusEndpoint, row)
}

func (t *tables) DeleteFromNexusEndpoints(ctx context.Context, id []byte) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromNexusEndpoints, id)
}

func (t *tables) InsertIntoMessages(ctx context.Context, row []sqlplugin.QueueMessageRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoMessages, row)
}

func (t *tables) DeleteFromMessages(ctx context.Context, filter sqlplugin.QueueMessagesFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromMessages, filter)
}

func (t *tables) RangeDeleteFromMessages(ctx context.Context, filter sqlplugin.QueueMessagesRangeFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.RangeDeleteFromMessages, filter)
}

func (t *tables) InsertIntoQueueMetadata(ctx context.Context, row *sqlplugin.QueueMetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoQueueMetadata, row)
}

func (t *tables) UpdateQueueMetadata(ctx context.Context, row *sqlplugin.QueueMetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateQueueMetadata, row)
}

func (t *tables) InsertIntoQueueV2Messages(ctx context.Context, row []sqlplugin.QueueV2MessageRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoQueueV2Messages, row)
}

func (t *tables) RangeDeleteFromQueueV2Messages(ctx context.Context, filter sqlplugin.QueueV2MessagesFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.RangeDeleteFromQueueV2Messages, filter)
}

func (t *tables) InsertIntoQueueV2Metadata(ctx context.Context, row *sqlplugin.QueueV2MetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoQueueV2Metadata, row)
}

func (t *tables) UpdateQueueV2Metadata(ctx context.Context, row *sqlplugin.QueueV2MetadataRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateQueueV2Metadata, row)
}

// The changes of the layout wait too.

func (d *db) CreateSchemaVersionTables() error {
	return d.sync.after(d.rest.CreateSchemaVersionTables)
}

func (d *db) UpdateSchemaVersion(database, version, least string) error {
	return d.sync.after(func() error { return d.rest.UpdateSchemaVersion(database, version, least) })
}

func (d *db) WriteSchemaUpdateLog(before, after, digest, text string) error {
	return d.sync.after(func() error { return d.rest.WriteSchemaUpdateLog(before, after, digest, text) })
}

func (d *db) DropTable(table string) error {
	return d.sync.after(func() error { return d.rest.DropTable(table) })
}

func (d *db) DropAllTables(database string) error {
	return d.sync.after(func() error { return d.rest.DropAllTables(database) })
}

func (d *db) CreateDatabase(database string) error {
	return d.sync.after(func() error { return d.rest.CreateDatabase(database) })
}

func (d *db) DropDatabase(database string) error {
	return d.sync.after(func() error { return d.rest.DropDatabase(database) })
}

func (d *db) Exec(statement string, args ...any) error {
	return d.sync.after(func() error { return d.rest.Exec(statement, args...) })
}
