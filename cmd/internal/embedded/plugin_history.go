//go:build !no_embedded

package embedded

import (
	"context"
	"database/sql"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// The writes of the history service that wait for the disk.

func (t *tables) ReplaceIntoActivityInfoMaps(ctx context.Context, rows []sqlplugin.ActivityInfoMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoActivityInfoMaps, rows)
}

func (t *tables) DeleteFromActivityInfoMaps(ctx context.Context, filter sqlplugin.ActivityInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromActivityInfoMaps, filter)
}

func (t *tables) DeleteAllFromActivityInfoMaps(ctx context.Context, filter sqlplugin.ActivityInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromActivityInfoMaps, filter)
}

func (t *tables) InsertIntoBufferedEvents(ctx context.Context, rows []sqlplugin.BufferedEventsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoBufferedEvents, rows)
}

func (t *tables) DeleteFromBufferedEvents(ctx context.Context, filter sqlplugin.BufferedEventsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromBufferedEvents, filter)
}

func (t *tables) ReplaceIntoChasmNodeMaps(ctx context.Context, rows []sqlplugin.ChasmNodeMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoChasmNodeMaps, rows)
}

func (t *tables) DeleteFromChasmNodeMaps(ctx context.Context, filter sqlplugin.ChasmNodeMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromChasmNodeMaps, filter)
}

func (t *tables) DeleteAllFromChasmNodeMaps(ctx context.Context, filter sqlplugin.ChasmNodeMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromChasmNodeMaps, filter)
}

func (t *tables) ReplaceIntoChildExecutionInfoMaps(ctx context.Context, rows []sqlplugin.ChildExecutionInfoMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoChildExecutionInfoMaps, rows)
}

func (t *tables) DeleteFromChildExecutionInfoMaps(ctx context.Context, filter sqlplugin.ChildExecutionInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromChildExecutionInfoMaps, filter)
}

func (t *tables) DeleteAllFromChildExecutionInfoMaps(ctx context.Context, filter sqlplugin.ChildExecutionInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromChildExecutionInfoMaps, filter)
}

func (t *tables) InsertIntoExecutions(ctx context.Context, row *sqlplugin.ExecutionsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoExecutions, row)
}

func (t *tables) UpdateExecutions(ctx context.Context, row *sqlplugin.ExecutionsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateExecutions, row)
}

func (t *tables) DeleteFromExecutions(ctx context.Context, filter sqlplugin.ExecutionsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromExecutions, filter)
}

func (t *tables) InsertIntoCurrentExecutions(ctx context.Context, row *sqlplugin.CurrentExecutionsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoCurrentExecutions, row)
}

func (t *tables) UpdateCurrentExecutions(ctx context.Context, row *sqlplugin.CurrentExecutionsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateCurrentExecutions, row)
}

func (t *tables) DeleteFromCurrentExecutions(ctx context.Context, filter sqlplugin.CurrentExecutionsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromCurrentExecutions, filter)
}

func (t *tables) InsertIntoHistoryImmediateTasks(ctx context.Context, rows []sqlplugin.HistoryImmediateTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoHistoryImmediateTasks, rows)
}

func (t *tables) RangeDeleteFromHistoryNode(ctx context.Context, filter sqlplugin.HistoryNodeDeleteFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.RangeDeleteFromHistoryNode, filter)
}

func (t *tables) InsertIntoReplicationDLQTasks(ctx context.Context, row []sqlplugin.ReplicationDLQTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoReplicationDLQTasks, row)
}

func (t *tables) DeleteFromReplicationDLQTasks(ctx context.Context, filter sqlplugin.ReplicationDLQTasksFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromReplicationDLQTasks, filter)
}

func (t *tables) RangeDeleteFromReplicationDLQTasks(ctx context.Context, filter sqlplugin.ReplicationDLQTasksRangeFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.RangeDeleteFromReplicationDLQTasks, filter)
}

func (t *tables) InsertIntoReplicationTasks(ctx context.Context, rows []sqlplugin.ReplicationTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoReplicationTasks, rows)
}

func (t *tables) DeleteFromReplicationTasks(ctx context.Context, filter sqlplugin.ReplicationTasksFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromReplicationTasks, filter)
}

func (t *tables) RangeDeleteFromReplicationTasks(ctx context.Context, filter sqlplugin.ReplicationTasksRangeFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.RangeDeleteFromReplicationTasks, filter)
}

func (t *tables) ReplaceIntoRequestCancelInfoMaps(ctx context.Context, rows []sqlplugin.RequestCancelInfoMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoRequestCancelInfoMaps, rows)
}

func (t *tables) DeleteFromRequestCancelInfoMaps(ctx context.Context, filter sqlplugin.RequestCancelInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromRequestCancelInfoMaps, filter)
}

func (t *tables) DeleteAllFromRequestCancelInfoMaps(ctx context.Context, filter sqlplugin.RequestCancelInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromRequestCancelInfoMaps, filter)
}

func (t *tables) InsertIntoHistoryScheduledTasks(ctx context.Context, rows []sqlplugin.HistoryScheduledTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoHistoryScheduledTasks, rows)
}

func (t *tables) InsertIntoShards(ctx context.Context, rows *sqlplugin.ShardsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoShards, rows)
}

func (t *tables) UpdateShards(ctx context.Context, row *sqlplugin.ShardsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.UpdateShards, row)
}

func (t *tables) ReplaceIntoSignalInfoMaps(ctx context.Context, rows []sqlplugin.SignalInfoMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoSignalInfoMaps, rows)
}

func (t *tables) DeleteFromSignalInfoMaps(ctx context.Context, filter sqlplugin.SignalInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromSignalInfoMaps, filter)
}

func (t *tables) DeleteAllFromSignalInfoMaps(ctx context.Context, filter sqlplugin.SignalInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromSignalInfoMaps, filter)
}

func (t *tables) ReplaceIntoSignalsRequestedSets(ctx context.Context, rows []sqlplugin.SignalsRequestedSetsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoSignalsRequestedSets, rows)
}

func (t *tables) DeleteFromSignalsRequestedSets(ctx context.Context, filter sqlplugin.SignalsRequestedSetsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromSignalsRequestedSets, filter)
}

func (t *tables) DeleteAllFromSignalsRequestedSets(ctx context.Context, filter sqlplugin.SignalsRequestedSetsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromSignalsRequestedSets, filter)
}

func (t *tables) ReplaceIntoTimerInfoMaps(ctx context.Context, rows []sqlplugin.TimerInfoMapsRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.ReplaceIntoTimerInfoMaps, rows)
}

func (t *tables) DeleteFromTimerInfoMaps(ctx context.Context, filter sqlplugin.TimerInfoMapsFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromTimerInfoMaps, filter)
}

func (t *tables) DeleteAllFromTimerInfoMaps(ctx context.Context, filter sqlplugin.TimerInfoMapsAllFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteAllFromTimerInfoMaps, filter)
}

func (t *tables) InsertIntoTimerTasks(ctx context.Context, rows []sqlplugin.TimerTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoTimerTasks, rows)
}

func (t *tables) InsertIntoTransferTasks(ctx context.Context, rows []sqlplugin.TransferTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoTransferTasks, rows)
}

func (t *tables) DeleteFromHistoryTree(ctx context.Context, filter sqlplugin.HistoryTreeDeleteFilter) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.DeleteFromHistoryTree, filter)
}

func (t *tables) InsertIntoVisibilityTasks(ctx context.Context, rows []sqlplugin.VisibilityTasksRow) (sql.Result, error) {
	return waited(ctx, t.to, t.TableCRUD.InsertIntoVisibilityTasks, rows)
}
