package splunkfake

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// failed is an update that did nothing.
func failed(message string) map[string]any {
	return map[string]any{"success": false, "message": message}
}

// ids are those of notable events.
func ids() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9-]+@@[A-Za-z0-9_.-]+@@[A-Za-z0-9]+$`)
}

// update changes notable events. It does not look whether there are events of these ids.
func (d *Double) update(r *http.Request, by Token) (int, any) {
	if err := r.ParseForm(); err != nil {
		return http.StatusBadRequest, failed("ValueError: " + err.Error())
	}
	form := r.PostForm
	rules, why := valid(form)
	if why != "" {
		return http.StatusBadRequest, failed("ValueError: " + why)
	}
	switch {
	case len(rules) == 0 && form.Get("searchID") == "":
		return http.StatusOK, failed("No search ID or ruleUIDs were provided.")
	case form.Get("searchID") != "":
		// No search is kept here.
		return http.StatusOK, counted(0, "The search is no longer accessible, please refresh and try editing the events again", 1)
	case d.failing(Traced):
		answer := failed("The update failed:[HTTP 503] KV Store is in maintenance mode")
		answer["tb"] = "Error: Filename = notable_event_update.py"
		return http.StatusOK, answer
	}
	comment, status := form.Get("comment"), form.Get("status")
	if len(strings.TrimSpace(comment)) < d.o.LeastComment {
		return http.StatusOK, counted(0, fmt.Sprintf("comment length does not meet minimum requirement (must be %d characters long or more)", d.o.LeastComment), 1)
	}
	if d.failing(NotSaved) || d.failing(StoreDown) {
		return http.StatusOK, counted(0, "some notable event(s) could not be updated", len(rules))
	}
	done := 0
	for _, rule := range rules {
		if d.o.NoClosing && status == "5" {
			continue
		}
		d.add(Review{Rule: rule, Comment: comment, User: by.User, Status: set(status), Owner: set(form.Get("newOwner")), Urgency: set(form.Get("urgency"))})
		done++
	}
	if d.failing(SavedUnsaid) {
		return http.StatusOK, counted(0, "some notable event(s) could not be updated", len(rules))
	}
	if done < len(rules) {
		return http.StatusOK, counted(done, "transition from New to Closed is not allowed", len(rules)-done)
	}
	return http.StatusOK, counted(done, "", 0)
}

// valid checks a form, and returns the ids of events in it.
func valid(form url.Values) (rules []string, why string) {
	for _, rule := range slices.Concat(form["ruleUIDs"], form["ruleUIDs[]"]) {
		if !ids().MatchString(rule) {
			return nil, "Invalid rule_id value."
		}
		rules = append(rules, rule)
	}
	urgencies := []string{"", "informational", "low", "medium", "high", "critical"}
	if !slices.Contains(urgencies, form.Get("urgency")) {
		return nil, "Invalid urgency value."
	}
	if status := form.Get("status"); status != "" {
		if _, err := strconv.Atoi(status); err != nil {
			return nil, "Invalid status value."
		}
	}
	if owner := form.Get("newOwner"); owner != "" && !slices.Contains([]string{"unassigned", "analyst", "stanch"}, owner) {
		return nil, "Invalid owner value."
	}
	if form.Get("comment")+form.Get("status")+form.Get("newOwner")+form.Get("urgency") == "" {
		return nil, "One of comment, owner, status, urgency is required."
	}
	return rules, ""
}

// counted is the answer to an update of which some events were changed, and others were not.
// It is a success if any was.
func counted(done int, why string, not int) map[string]any {
	answer := map[string]any{"success": done > 0, "success_count": done, "failure_count": not, "details": map[string]any{}}
	if not == 0 {
		answer["message"] = fmt.Sprintf("%d event%s updated successfully", done, plural(done))
		return answer
	}
	answer["details"] = map[string]any{why: not}
	message := ""
	if done > 0 {
		message = fmt.Sprintf("%d events were successfully changed; ", done)
	}
	answer["message"] = message + fmt.Sprintf("Unable to change %d events: %s (%d event%s)", not, why, not, plural(not))
	return answer
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
