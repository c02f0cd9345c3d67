package splunkfake

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
)

// number is a number as it is written.
func number(text string) json.Number { return json.Number(text) }

// refusal is an error of splunkd, which is XML unless JSON is asked for.
type refusal struct {
	status     int
	kind, text string
}

func refuse(status int, kind, format string, args ...any) *refusal {
	return &refusal{status, kind, fmt.Sprintf(format, args...)}
}

// ServeHTTP implements [http.Handler].
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer, refused := d.serve(r)
	if refused != nil {
		refused.write(w, r.FormValue("output_mode") == "json")
		return
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // Whoever has gone wants no answer.
}

func (f *refusal) write(w http.ResponseWriter, asJSON bool) {
	type message struct {
		Type string `json:"type" xml:"type,attr"`
		Text string `json:"text" xml:",chardata"`
	}
	said := []message{{f.kind, f.text}}
	var text []byte
	var err error
	if asJSON {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		text, err = json.Marshal(map[string]any{"messages": said})
	} else {
		w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
		text, err = xml.Marshal(struct {
			XMLName xml.Name  `xml:"response"`
			Said    []message `xml:"messages>msg"`
		}{Said: said})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(text) // Whoever has gone wants no answer.
}

func (d *Double) serve(r *http.Request) (int, any, *refusal) {
	at := slices.IndexFunc(d.o.Tokens, func(t Token) bool { return r.Header.Get("Authorization") == "Bearer "+t.Text })
	if at < 0 {
		return 0, nil, refuse(http.StatusUnauthorized, "WARN", "call not properly authenticated")
	}
	by := d.o.Tokens[at]
	d.mu.Lock()
	defer d.mu.Unlock()
	if status, answer, refused, ok := d.serveJobs(r, by); ok {
		return status, answer, refused
	}
	switch {
	case r.URL.Path == Update && r.Method == http.MethodPost:
		if !slices.Contains(by.Capabilities, EditNotables) {
			return 0, nil, refuse(http.StatusForbidden, "ERROR", "You (user=%s) do not have permission to perform this operation (requires capability: %s).", by.User, EditNotables)
		}
		status, answer := d.update(r, by)
		return status, answer, nil
	case r.URL.Path == Update:
		return http.StatusMethodNotAllowed, failed("Invalid method for this endpoint"), nil
	case r.URL.Path == Context && r.Method == http.MethodGet:
		return http.StatusOK, map[string]any{"entry": []any{map[string]any{"name": "context", "content": map[string]any{
			"username": by.User, "capabilities": by.Capabilities, "roles": []string{"ess_analyst"}, "type": "Splunk",
		}}}}, nil
	case r.URL.Path == Collection && r.Method == http.MethodGet:
		if !slices.Contains(by.Capabilities, ReadReviews) {
			return 0, nil, refuse(http.StatusForbidden, "ERROR", "Action forbidden.")
		}
		if d.failing(StoreDown) {
			return 0, nil, refuse(http.StatusServiceUnavailable, "ERROR", "KV Store initialization has not completed yet.")
		}
		rows, refused := d.find(r.URL.Query())
		return http.StatusOK, rows, refused
	}
	return 0, nil, refuse(http.StatusNotFound, "ERROR", "Not Found")
}
