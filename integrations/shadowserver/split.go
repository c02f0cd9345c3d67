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
// read takes nothing from the others: one that seems to go over several lines, as behind a
// quotation mark that never ends, is its first line alone.
func splitCSV(body []byte) ([]alerts.Document, *alerts.FieldError) {
	rows := reader(body)
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
		row, problem := map[string]string{}, problemOf(cells, names, err)
		if problem == "" {
			for i, name := range names {
				if cells[i] != "" {
					row[name] = cells[i]
				}
			}
		} else {
			line := bytes.TrimLeft(body[start:rows.InputOffset()], "\r\n")
			if end := bytes.IndexByte(line, '\n'); end >= 0 && end+1 < len(line) {
				body = body[int(rows.InputOffset())-len(line)+end+1:]
				rows, line = reader(body), line[:end]
			}
			row[unreadable], row["row"] = problem, string(bytes.TrimSpace(line))
		}
		// Texts encode.
		data, _ := json.Marshal(row)
		all = append(all, alerts.Document{Path: "[" + strconv.Itoa(len(all)) + "]", Raw: data})
	}
}

func reader(body []byte) *csv.Reader {
	rows := csv.NewReader(bytes.NewReader(body))
	rows.FieldsPerRecord = -1
	return rows
}

// problemOf says why a row cannot be read; it is empty where it can.
func problemOf(cells, names []string, err error) string {
	switch {
	case err != nil:
		return "is not CSV: " + csvProblem(err)
	case len(cells) != len(names):
		return fmt.Sprintf("has %d values, and the report %d columns", len(cells), len(names))
	}
	return ""
}

// csvProblem says what is wrong without quoting the row.
func csvProblem(err error) string {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		return parse.Err.Error()
	}
	return "it cannot be read"
}
