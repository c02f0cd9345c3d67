//go:build !no_embedded

package embedded

import (
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
)

const clusterName = "active"

// serverConfig is the content of the server's configuration file. Metrics,
// profiling and HTTP have no port, so nothing listens for them.
func serverConfig(store *config.SQL, frontend int, run services) *config.Config {
	const off = "disabled"
	return &config.Config{
		Persistence: config.Persistence{
			DefaultStore:    sqlite.PluginName,
			VisibilityStore: sqlite.PluginName,
			// All shards would share the one writer that SQLite has. The number
			// is written into the data and can never be changed.
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: loopback(frontend)},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            run,
		PublicClient:        config.PublicClient{HostPort: loopback(frontend)},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: off},
			Visibility: config.VisibilityArchival{State: off},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: off},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: off},
		}},
	}
}

// The server's caches: the number of workflows, each some 50 KB, and the bytes of
// events. A limit in bytes for workflows counts a tenth of what they take.
// Anything else is read again, which takes a millisecond: a workflow is looked at once
// more when the time for a task of it would have been over, ten seconds later.
const (
	historyCache = 1024
	eventsCache  = 8 << 20
)

// settings are the server's dynamic configuration where its defaults do not suit
// one process that serves one product. Updates, update-with-start and
// eager start are on by default; its limits of 2 MiB per payload, 50 MiB and
// 51,200 events per history are far above what a case needs.
func settings() dynamicconfig.StaticClient {
	const (
		// The default of 20 polls per second costs 50 ms per step at rest.
		polls = 250
		// The rate limits protect a cluster from one of many tenants. Here the
		// disk is the limit, and refused requests would only be retried.
		unlimited = 100_000
		// atOnce is how many tasks of a queue are done at a time.
		atOnce = 32
		// writesAtOnce is how many writes of the one shard are under way at a time.
		// Those that wait for the disk together share one sync.
		writesAtOnce = 32
	)
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   polls,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      polls,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): polls,

		// Hundreds of workers a queue would only wait for the one writer that
		// SQLite has, and each of them keeps the stack of its deepest task.
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():   atOnce,
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():      atOnce,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key(): atOnce,
		// Nothing is copied to another cluster.
		dynamicconfig.ReplicationProcessorSchedulerWorkerCount.Key():            1,
		dynamicconfig.ReplicationLowPriorityProcessorSchedulerWorkerCount.Key(): 1,

		dynamicconfig.ShardIOConcurrency.Key(): writesAtOnce,

		// With several partitions a task and a poller may miss each other.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,

		// Caches are sized for a cluster by default; one machine has a few hundred
		// running workflows.
		dynamicconfig.HistoryCacheSizeBasedLimit.Key():       false,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():     historyCache,
		dynamicconfig.EventsHostLevelCacheMaxSizeBytes.Key(): eventsCache,
		dynamicconfig.EventsCacheMaxSizeBytes.Key():          eventsCache,
		// It holds what other clusters ask for.
		dynamicconfig.XDCCacheMaxSizeBytes.Key(): 1,

		// It measures payloads that are kept elsewhere; here none is, and looking for
		// them in every event takes a twentieth of the processor.
		dynamicconfig.ExternalPayloadsEnabled.Key(): false,

		// It asks a server on the Internet for the newest version.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
		// The worker service, which would do it, does not run.
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,
	}
}
