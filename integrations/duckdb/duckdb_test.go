package duckdb

import (
	"reflect"
	"testing"

	"github.com/stanch-soar/stanch/playbooks"
)

// TestConfigurationIsRead reads settings of stanch.yaml with the loader of
// stanch.yaml.
func TestConfigurationIsRead(t *testing.T) {
	c, ok := Spec().NewConfig().(*Config)
	if !ok {
		t.Fatal("the spec has no configuration")
	}
	issues := playbooks.DecodeStrict("stanch.yaml", []byte(`
folder: /data/flows
format: parquet
files: "*.pq"
columns: { start: first_seen, end: last_seen, src: src_ip, dst: dst_ip, orig_ip_bytes: octets, sampling: rate }
unit: ms
one_direction: true
memory: 512
`), c)
	want := Config{
		Folder: "/data/flows", Format: Parquet, Files: "*.pq", Unit: "ms", OneDirection: true,
		Columns: Columns{Start: "first_seen", End: "last_seen", Src: "src_ip", Dst: "dst_ip", OrigIPBytes: "octets", Sampling: "rate"},
		Records: defaultRecords, Memory: 512, Threads: defaultThreads,
	}
	if len(issues) > 0 || !reflect.DeepEqual(*c, want) {
		t.Errorf("it is read as %+v with issues %v, want %+v", *c, issues, want)
	}
	for text, fine := range map[string]bool{
		"folder: /a\nformat: zeek_tsv\n":                        true,
		"format: zeek_tsv\n":                                    false,
		"folder: /a\n":                                          false,
		"folder: /a\nformat: csv\n":                             false,
		"folder: /a\nformat: goflow2\nunit: hour\n":             false,
		"folder: /a\nformat: parquet\ncolumns: { begin: ts }\n": false,
	} {
		if issues := playbooks.DecodeStrict("stanch.yaml", []byte(text), Spec().NewConfig()); (len(issues) == 0) != fine {
			t.Errorf("%q: issues %v", text, issues)
		}
	}
}
