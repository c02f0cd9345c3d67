package shadowserver

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// unreadable is the field of a document that stands for a row that cannot be read, with the
// reason; beside it is the row.
const unreadable = "unreadable"

// splitAlerts takes rows as JSON objects, or a report as CSV.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if text := bytes.TrimSpace(body); len(text) == 0 || bytes.ContainsAny(text[:1], "{[") {
		return alerts.Stream(body)
	}
	return splitCSV(body)
}

// splitCSV makes an object of each row, by the names in the first line. A row that cannot be
// read takes nothing from the others, unless it is a quotation mark that never ends: what
// follows is within it then.
func splitCSV(body []byte) ([]alerts.Document, *alerts.FieldError) {
	rows := csv.NewReader(bytes.NewReader(body))
	rows.FieldsPerRecord = -1
	names, err := rows.Read()
	if err != nil || !slices.Contains(names, "timestamp") {
		return nil, alerts.Wrong("", "is neither JSON nor a report: there is no column timestamp in the first line")
	}
	var all []alerts.Document
	for {
		start := rows.InputOffset()
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		row := map[string]string{}
		switch {
		case err != nil:
			row[unreadable] = fmt.Sprintf("is not CSV: %s", csvProblem(err))
		case len(cells) != len(names):
			row[unreadable] = fmt.Sprintf("has %d values, and the report %d columns", len(cells), len(names))
		default:
			for i, name := range names {
				if cells[i] != "" {
					row[name] = cells[i]
				}
			}
		}
		if row[unreadable] != "" {
			row["row"] = string(bytes.TrimSpace(body[start:rows.InputOffset()]))
		}
		// Texts encode.
		data, _ := json.Marshal(row)
		all = append(all, alerts.Document{Path: "[" + strconv.Itoa(len(all)) + "]", Raw: data})
	}
}

// csvProblem says what is wrong without quoting the row.
func csvProblem(err error) string {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return parse.Err.Error()
	}
	return "it cannot be read"
}
