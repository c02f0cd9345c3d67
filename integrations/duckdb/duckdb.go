// Package duckdb is a flow store of files that others write: folders of Zeek's
// conn logs, of goflow2's JSON or of Parquet, such as that of AWS VPC flow logs, read by DuckDB in
// this process.
// Nothing is imported and nothing is written. DuckDB is C++: it is part of a
// build with -tags duckdb only.
package duckdb

import (
	"context"

	"github.com/stanch-soar/stanch/integrations"
)

// Format is how the files are written.
type Format string

// The closed set of formats.
const (
	ZeekTSV  Format = "zeek_tsv"
	ZeekJSON Format = "zeek_json"
	GoFlow2  Format = "goflow2"
	Parquet  Format = "parquet"
	// AWSVPC is the Parquet that AWS writes of the flow logs of VPCs.
	AWSVPC Format = "aws_vpc"
)

// Config is the configuration of a folder of flow logs in stanch.yaml.
type Config struct {
	Folder   string            `yaml:"folder,required" doc:"The folder of the files, absolute. Nothing outside of it can be read."`
	Format   Format            `yaml:"format,required" enum:"zeek_tsv,zeek_json,goflow2,parquet,aws_vpc" doc:"zeek_tsv and zeek_json: Zeek's conn.log, plain or gzip. goflow2: its JSON, plain or gzip. parquet: one flow per row, see columns. aws_vpc: the flow logs of VPCs as AWS writes them in Parquet, below AWSLogs."`
	Files    string            `yaml:"files" doc:"Which files of the folder and of all folders below it: a pattern for their names. Empty: conn*.log*, *.json* or *.parquet, by the format."`
	Columns  Columns           `yaml:"columns" doc:"Names of columns where they differ from the format's own; Parquet is expected to have Zeek's."`
	Unit     Unit              `yaml:"unit" enum:"s,ms,us,ns" doc:"Unit of a start, end or duration that is a whole number. Floats are seconds, timestamps need none."`
	TimeZone integrations.Zone `yaml:"time_zone" doc:"The zone of times without one, such as Europe/Berlin: a name of the zone database. Empty: UTC."`
	// OneDirection is for Parquet: of the other formats it is known.
	OneDirection bool                 `yaml:"one_direction" doc:"Parquet: each row is of one direction, as in NetFlow and sFlow. The reply has a row of its own."`
	Only         []integrations.Match `yaml:"only" doc:"Records count where each of these columns has one of its values."`
	Without      []integrations.Match `yaml:"without" doc:"Records do not count where one of these columns has one of its values."`
	Sampling     int                  `yaml:"sampling" doc:"Sampling rate, one packet in n, of sensors that report 0, that is, none; 1 is every packet. 0: their volume is unknown."`
	Sensor       string               `yaml:"sensor" doc:"The sensor of records that do not name theirs."`
	Records      int                  `yaml:"records" doc:"How many flows of one host are read one by one, about 200 bytes each. Above it DuckDB sums, and flows that several sensors saw are matched by port and peer only."`
	Memory       int                  `yaml:"memory" doc:"How much memory DuckDB may take, in MiB. A query that needs more fails; nothing is spilled to disk."`
	Threads      int                  `yaml:"threads" doc:"How many threads DuckDB may use."`
}

// Unit is the unit of whole numbers of time.
type Unit string

// Columns are the names of columns. An empty one is the format's own.
type Columns struct {
	Start       string `yaml:"start" doc:"When the flow began; required."`
	End         string `yaml:"end" doc:"When it ended, where there is no duration."`
	Duration    string `yaml:"duration" doc:"How long it took."`
	Src         string `yaml:"src" doc:"The address that opened the flow, as text; required."`
	SrcPort     string `yaml:"src_port" doc:"Its port."`
	Dst         string `yaml:"dst" doc:"The other address, as text; required."`
	DstPort     string `yaml:"dst_port" doc:"Its port."`
	Transport   string `yaml:"transport" doc:"The protocol, as a name or a number."`
	OrigBytes   string `yaml:"orig_bytes" doc:"Payload that src sent."`
	OrigIPBytes string `yaml:"orig_ip_bytes" doc:"What src sent, IP headers included."`
	OrigPackets string `yaml:"orig_packets" doc:"Packets that src sent."`
	RespBytes   string `yaml:"resp_bytes" doc:"Payload that dst sent."`
	RespIPBytes string `yaml:"resp_ip_bytes" doc:"What dst sent, IP headers included."`
	RespPackets string `yaml:"resp_packets" doc:"Packets that dst sent."`
	State       string `yaml:"state" doc:"Zeek's conn_state."`
	History     string `yaml:"history" doc:"Zeek's history."`
	Sampling    string `yaml:"sampling" doc:"Sampling rate: one packet in n was seen."`
	Sensor      string `yaml:"sensor" doc:"Who saw the flow."`
}

const (
	defaultRecords = 1_000_000
	defaultMemory  = 1024
	defaultThreads = 2
)

// capabilities are those of a build with DuckDB.
type capabilities interface {
	integrations.Flows
	integrations.Hunter
	integrations.Surveyor
	integrations.Prober
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "duckdb",
		Summary:    "Flow store of files: Zeek logs, goflow2 JSON, Parquet or AWS VPC flow logs in Parquet, read by DuckDB (builds with -tags duckdb).",
		Implements: implements(),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "read the folder and everything below it", Why: "the flow logs are there; nothing is written, so nothing else should be allowed"},
		},
		Example: "flows: { kind: duckdb, folder: /var/log/zeek, format: zeek_tsv }",
		NewConfig: func() any {
			return &Config{Unit: "ns", Records: defaultRecords, Memory: defaultMemory, Threads: defaultThreads}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c) }),
	}
}

const opening = "open the flow store"
