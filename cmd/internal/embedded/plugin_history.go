//go:build !no_embedded

package embedded

import (
	"context"
	"database/sql"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// The single writes of the history service that wait for the disk. The server does most of them
// in transactions only.

func (d *db) ReplaceIntoActivityInfoMaps(ctx context.Context, rows []sqlplugin.ActivityInfoMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoActivityInfoMaps, rows)
}

func (d *db) DeleteFromActivityInfoMaps(ctx context.Context, filter sqlplugin.ActivityInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromActivityInfoMaps, filter)
}

func (d *db) DeleteAllFromActivityInfoMaps(ctx context.Context, filter sqlplugin.ActivityInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromActivityInfoMaps, filter)
}

func (d *db) InsertIntoBufferedEvents(ctx context.Context, rows []sqlplugin.BufferedEventsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoBufferedEvents, rows)
}

func (d *db) DeleteFromBufferedEvents(ctx context.Context, filter sqlplugin.BufferedEventsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromBufferedEvents, filter)
}

func (d *db) ReplaceIntoChasmNodeMaps(ctx context.Context, rows []sqlplugin.ChasmNodeMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoChasmNodeMaps, rows)
}

func (d *db) DeleteFromChasmNodeMaps(ctx context.Context, filter sqlplugin.ChasmNodeMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromChasmNodeMaps, filter)
}

func (d *db) DeleteAllFromChasmNodeMaps(ctx context.Context, filter sqlplugin.ChasmNodeMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromChasmNodeMaps, filter)
}

func (d *db) ReplaceIntoChildExecutionInfoMaps(ctx context.Context, rows []sqlplugin.ChildExecutionInfoMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoChildExecutionInfoMaps, rows)
}

func (d *db) DeleteFromChildExecutionInfoMaps(ctx context.Context, filter sqlplugin.ChildExecutionInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromChildExecutionInfoMaps, filter)
}

func (d *db) DeleteAllFromChildExecutionInfoMaps(ctx context.Context, filter sqlplugin.ChildExecutionInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromChildExecutionInfoMaps, filter)
}

func (d *db) InsertIntoExecutions(ctx context.Context, row *sqlplugin.ExecutionsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoExecutions, row)
}

func (d *db) UpdateExecutions(ctx context.Context, row *sqlplugin.ExecutionsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateExecutions, row)
}

func (d *db) DeleteFromExecutions(ctx context.Context, filter sqlplugin.ExecutionsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromExecutions, filter)
}

func (d *db) InsertIntoCurrentExecutions(ctx context.Context, row *sqlplugin.CurrentExecutionsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoCurrentExecutions, row)
}

func (d *db) UpdateCurrentExecutions(ctx context.Context, row *sqlplugin.CurrentExecutionsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateCurrentExecutions, row)
}

func (d *db) DeleteFromCurrentExecutions(ctx context.Context, filter sqlplugin.CurrentExecutionsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromCurrentExecutions, filter)
}

func (d *db) InsertIntoHistoryImmediateTasks(ctx context.Context, rows []sqlplugin.HistoryImmediateTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoHistoryImmediateTasks, rows)
}

func (d *db) RangeDeleteFromHistoryNode(ctx context.Context, filter sqlplugin.HistoryNodeDeleteFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.RangeDeleteFromHistoryNode, filter)
}

func (d *db) InsertIntoReplicationDLQTasks(ctx context.Context, row []sqlplugin.ReplicationDLQTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoReplicationDLQTasks, row)
}

func (d *db) DeleteFromReplicationDLQTasks(ctx context.Context, filter sqlplugin.ReplicationDLQTasksFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromReplicationDLQTasks, filter)
}

func (d *db) RangeDeleteFromReplicationDLQTasks(ctx context.Context, filter sqlplugin.ReplicationDLQTasksRangeFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.RangeDeleteFromReplicationDLQTasks, filter)
}

func (d *db) InsertIntoReplicationTasks(ctx context.Context, rows []sqlplugin.ReplicationTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoReplicationTasks, rows)
}

func (d *db) DeleteFromReplicationTasks(ctx context.Context, filter sqlplugin.ReplicationTasksFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromReplicationTasks, filter)
}

func (d *db) RangeDeleteFromReplicationTasks(ctx context.Context, filter sqlplugin.ReplicationTasksRangeFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.RangeDeleteFromReplicationTasks, filter)
}

func (d *db) ReplaceIntoRequestCancelInfoMaps(ctx context.Context, rows []sqlplugin.RequestCancelInfoMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoRequestCancelInfoMaps, rows)
}

func (d *db) DeleteFromRequestCancelInfoMaps(ctx context.Context, filter sqlplugin.RequestCancelInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromRequestCancelInfoMaps, filter)
}

func (d *db) DeleteAllFromRequestCancelInfoMaps(ctx context.Context, filter sqlplugin.RequestCancelInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromRequestCancelInfoMaps, filter)
}

func (d *db) InsertIntoHistoryScheduledTasks(ctx context.Context, rows []sqlplugin.HistoryScheduledTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoHistoryScheduledTasks, rows)
}

func (d *db) InsertIntoShards(ctx context.Context, rows *sqlplugin.ShardsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoShards, rows)
}

func (d *db) UpdateShards(ctx context.Context, row *sqlplugin.ShardsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.UpdateShards, row)
}

func (d *db) ReplaceIntoSignalInfoMaps(ctx context.Context, rows []sqlplugin.SignalInfoMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoSignalInfoMaps, rows)
}

func (d *db) DeleteFromSignalInfoMaps(ctx context.Context, filter sqlplugin.SignalInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromSignalInfoMaps, filter)
}

func (d *db) DeleteAllFromSignalInfoMaps(ctx context.Context, filter sqlplugin.SignalInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromSignalInfoMaps, filter)
}

func (d *db) ReplaceIntoSignalsRequestedSets(ctx context.Context, rows []sqlplugin.SignalsRequestedSetsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoSignalsRequestedSets, rows)
}

func (d *db) DeleteFromSignalsRequestedSets(ctx context.Context, filter sqlplugin.SignalsRequestedSetsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromSignalsRequestedSets, filter)
}

func (d *db) DeleteAllFromSignalsRequestedSets(ctx context.Context, filter sqlplugin.SignalsRequestedSetsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromSignalsRequestedSets, filter)
}

func (d *db) ReplaceIntoTimerInfoMaps(ctx context.Context, rows []sqlplugin.TimerInfoMapsRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.ReplaceIntoTimerInfoMaps, rows)
}

func (d *db) DeleteFromTimerInfoMaps(ctx context.Context, filter sqlplugin.TimerInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromTimerInfoMaps, filter)
}

func (d *db) DeleteAllFromTimerInfoMaps(ctx context.Context, filter sqlplugin.TimerInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteAllFromTimerInfoMaps, filter)
}

func (d *db) InsertIntoTimerTasks(ctx context.Context, rows []sqlplugin.TimerTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoTimerTasks, rows)
}

func (d *db) InsertIntoTransferTasks(ctx context.Context, rows []sqlplugin.TransferTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoTransferTasks, rows)
}

func (d *db) InsertIntoHistoryTree(ctx context.Context, row *sqlplugin.HistoryTreeRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoHistoryTree, row)
}

func (d *db) DeleteFromHistoryTree(ctx context.Context, filter sqlplugin.HistoryTreeDeleteFilter) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.DeleteFromHistoryTree, filter)
}

func (d *db) InsertIntoVisibilityTasks(ctx context.Context, rows []sqlplugin.VisibilityTasksRow) (sql.Result, error) {
	return waited(ctx, d.sync, d.server.InsertIntoVisibilityTasks, rows)
}
