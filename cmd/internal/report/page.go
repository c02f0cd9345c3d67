package report

import (
	"bytes"
	_ "embed" // the page is a file, so that editors know it
	"fmt"
	"html/template"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/evidence"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
)

//go:embed page.html.tmpl
var pageText string

// maxCell bounds a text of others on the page.
const maxCell = 500

// Page is a report as a page of its own: no script, no address, and every text escaped.
func Page(r api.Report) ([]byte, error) {
	tmpl, err := template.New("report").Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("read the report's template: %w", err)
	}
	tables := Tables(r)
	for _, t := range tables {
		for _, row := range t.Rows {
			for i := range row {
				row[i] = wording.Inert(row[i], maxCell)
			}
		}
	}
	style, policy := evidence.Style()
	var out bytes.Buffer
	err = tmpl.Execute(&out, struct {
		Since, Summary, Policy string
		Style                  template.CSS
		Notes                  []string
		Tables                 []Table
	}{wording.Clock(r.Since), Summary(r), policy, style, Notes(r), tables})
	if err != nil {
		return nil, fmt.Errorf("write the report's page: %w", err)
	}
	return out.Bytes(), nil
}
