//go:build !no_embedded

package embedded

import (
	"context"
	"database/sql"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// The single writes of the other services that wait for the disk. The server does most of them
// in transactions only.

func (d *db) SaveClusterMetadata(ctx context.Context, row *sqlplugin.ClusterMetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.SaveClusterMetadata, row)
}

func (d *db) DeleteClusterMetadata(ctx context.Context, filter *sqlplugin.ClusterMetadataFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteClusterMetadata, filter)
}

func (d *db) UpsertClusterMembership(ctx context.Context, row *sqlplugin.ClusterMembershipRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpsertClusterMembership, row)
}

func (d *db) PruneClusterMembership(ctx context.Context, filter *sqlplugin.PruneClusterMembershipFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.PruneClusterMembership, filter)
}

func (d *db) InsertIntoTaskQueues(ctx context.Context, row *sqlplugin.TaskQueuesRow, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(d.sync, func() (sql.Result, error) { return d.server.InsertIntoTaskQueues(ctx, row, v) })
}

func (d *db) UpdateTaskQueues(ctx context.Context, row *sqlplugin.TaskQueuesRow, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(d.sync, func() (sql.Result, error) { return d.server.UpdateTaskQueues(ctx, row, v) })
}

func (d *db) DeleteFromTaskQueues(ctx context.Context, filter sqlplugin.TaskQueuesFilter, v sqlplugin.MatchingTaskVersion) (sql.Result, error) {
	return result(d.sync, func() (sql.Result, error) { return d.server.DeleteFromTaskQueues(ctx, filter, v) })
}

func (d *db) UpdateTaskQueueUserData(ctx context.Context, request *sqlplugin.UpdateTaskQueueDataRequest) error {
	return d.waitAfter(func() error { return d.server.UpdateTaskQueueUserData(ctx, request) })
}

//nolint:staticcheck // The server's interface has the name.
func (d *db) AddToBuildIdToTaskQueueMapping(ctx context.Context, request sqlplugin.AddToBuildIdToTaskQueueMapping) error {
	return d.waitAfter(func() error { return d.server.AddToBuildIdToTaskQueueMapping(ctx, request) })
}

//nolint:staticcheck // The server's interface has the name.
func (d *db) RemoveFromBuildIdToTaskQueueMapping(ctx context.Context, request sqlplugin.RemoveFromBuildIdToTaskQueueMapping) error {
	return d.waitAfter(func() error { return d.server.RemoveFromBuildIdToTaskQueueMapping(ctx, request) })
}

func (d *db) InsertIntoTasks(ctx context.Context, rows []sqlplugin.TasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoTasks, rows)
}

func (d *db) InsertIntoTasksV2(ctx context.Context, rows []sqlplugin.TasksRowV2) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoTasksV2, rows)
}

func (d *db) InsertIntoNamespace(ctx context.Context, rows *sqlplugin.NamespaceRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoNamespace, rows)
}

func (d *db) UpdateNamespace(ctx context.Context, row *sqlplugin.NamespaceRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateNamespace, row)
}

func (d *db) DeleteFromNamespace(ctx context.Context, filter sqlplugin.NamespaceFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromNamespace, filter)
}

func (d *db) UpdateNamespaceMetadata(ctx context.Context, row *sqlplugin.NamespaceMetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateNamespaceMetadata, row)
}

func (d *db) InitializeNexusEndpointsTableVersion(ctx context.Context) (sql.Result, error) {
	return result(d.sync, func() (sql.Result, error) { return d.server.InitializeNexusEndpointsTableVersion(ctx) })
}

func (d *db) IncrementNexusEndpointsTableVersion(ctx context.Context, lastKnownTableVersion int64) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.IncrementNexusEndpointsTableVersion, lastKnownTableVersion)
}

func (d *db) InsertIntoNexusEndpoints(ctx context.Context, row *sqlplugin.NexusEndpointsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoNexusEndpoints, row)
}

func (d *db) UpdateNexusEndpoint(ctx context.Context, row *sqlplugin.NexusEndpointsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateNexusEndpoint, row)
}

func (d *db) DeleteFromNexusEndpoints(ctx context.Context, id []byte) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromNexusEndpoints, id)
}

func (d *db) InsertIntoMessages(ctx context.Context, row []sqlplugin.QueueMessageRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoMessages, row)
}

func (d *db) DeleteFromMessages(ctx context.Context, filter sqlplugin.QueueMessagesFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromMessages, filter)
}

func (d *db) RangeDeleteFromMessages(ctx context.Context, filter sqlplugin.QueueMessagesRangeFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.RangeDeleteFromMessages, filter)
}

func (d *db) InsertIntoQueueMetadata(ctx context.Context, row *sqlplugin.QueueMetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoQueueMetadata, row)
}

func (d *db) UpdateQueueMetadata(ctx context.Context, row *sqlplugin.QueueMetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateQueueMetadata, row)
}

func (d *db) InsertIntoQueueV2Messages(ctx context.Context, row []sqlplugin.QueueV2MessageRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoQueueV2Messages, row)
}

func (d *db) RangeDeleteFromQueueV2Messages(ctx context.Context, filter sqlplugin.QueueV2MessagesFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.RangeDeleteFromQueueV2Messages, filter)
}

func (d *db) InsertIntoQueueV2Metadata(ctx context.Context, row *sqlplugin.QueueV2MetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoQueueV2Metadata, row)
}

func (d *db) UpdateQueueV2Metadata(ctx context.Context, row *sqlplugin.QueueV2MetadataRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateQueueV2Metadata, row)
}

// The changes of the layout wait too.

func (d *db) CreateSchemaVersionTables() error {
	return d.waitAfter(d.server.CreateSchemaVersionTables)
}

func (d *db) UpdateSchemaVersion(database, version, least string) error {
	return d.waitAfter(func() error { return d.server.UpdateSchemaVersion(database, version, least) })
}

func (d *db) WriteSchemaUpdateLog(before, after, digest, text string) error {
	return d.waitAfter(func() error { return d.server.WriteSchemaUpdateLog(before, after, digest, text) })
}

func (d *db) DropTable(table string) error {
	return d.waitAfter(func() error { return d.server.DropTable(table) })
}

func (d *db) DropAllTables(database string) error {
	return d.waitAfter(func() error { return d.server.DropAllTables(database) })
}

func (d *db) CreateDatabase(database string) error {
	return d.waitAfter(func() error { return d.server.CreateDatabase(database) })
}

func (d *db) DropDatabase(database string) error {
	return d.waitAfter(func() error { return d.server.DropDatabase(database) })
}

func (d *db) Exec(statement string, args ...any) error {
	return d.waitAfter(func() error { return d.server.Exec(statement, args...) })
}
