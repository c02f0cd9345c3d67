package apispec

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed kql
var kql embed.FS

// CheckKQL fails a test where Microsoft's own service for its query language
// finds something wrong with a query on the tables of advanced hunting: its
// syntax, or a table, column or function that does not exist. Without the service
// the test is skipped. A call takes two seconds, however many queries it is given.
func CheckKQL(tb testing.TB, queries ...string) {
	tb.Helper()
	checkKQL(tb, "kql/tables.json", queries)
}

// CheckLogAnalyticsKQL is [CheckKQL] for queries on the tables of flows in Azure
// Monitor's logs.
func CheckLogAnalyticsKQL(tb testing.TB, queries ...string) {
	tb.Helper()
	checkKQL(tb, "kql/loganalytics.json", queries)
}

func checkKQL(tb testing.TB, tables string, queries []string) {
	tb.Helper()
	node, program, ok := inNode("STANCH_KUSTO", "@kusto", "language-service-next", "Kusto.Language.Bridge.js")
	if !ok {
		tb.Skip("SKIPPED: Microsoft's language service for KQL 12.4.1 is not installed")
	}
	found, err := diagnose(tb, node, filepath.Dir(program), tables, queries)
	if err != nil {
		tb.Fatalf("check a query by Microsoft's language service: %v", err)
	}
	if len(found) != len(queries) {
		tb.Fatalf("Microsoft's language service judged %d of %d queries", len(found), len(queries))
	}
	for i, query := range queries {
		for _, d := range found[i] {
			tb.Errorf("%s in query %d, at %.40q: %s", d.Severity, i+1, query[min(d.At, len(query)):], d.Message)
		}
	}
}

// diagnosis is one thing that is wrong with a query, and where: at which UTF-16
// unit, which is a byte where the text is ASCII.
type diagnosis struct {
	At                int
	Severity, Message string
}

func diagnose(tb testing.TB, node, folder, tables string, queries []string) ([][]diagnosis, error) {
	script, err := kql.ReadFile("kql/check.js")
	if err != nil {
		return nil, err
	}
	text, err := kql.ReadFile(tables)
	if err != nil {
		return nil, err
	}
	var in struct {
		Tables  map[string]string `json:"tables"`
		Queries []string          `json:"queries"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	in.Queries = queries
	asked, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(tb.Context(), node, "-e", string(script), folder)
	cmd.Stdin = bytes.NewReader(asked)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	said, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, problems.String())
	}
	var found [][]diagnosis
	if err := json.Unmarshal(said, &found); err != nil {
		return nil, fmt.Errorf("read %.200q: %w", said, err)
	}
	return found, nil
}
