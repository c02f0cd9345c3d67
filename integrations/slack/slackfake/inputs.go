package slackfake

import (
	"strings"
	"unicode/utf8"
)

// fill puts what a person wrote into the inputs of a view, as Slack
// does before it asks the app: what is required must be there, and as long as
// the app said.
func (v *View) fill(values map[string]string) (Object, map[string]string) {
	filled, problems := Object{}, map[string]string{}
	known := map[string]bool{}
	for _, b := range v.Blocks {
		if b["type"] != "input" {
			continue
		}
		id, _ := b["block_id"].(string)
		known[id] = true
		element, _ := b["element"].(Object)
		mayBeEmpty, _ := b["optional"].(bool)
		state, problem := enter(element, values[id], mayBeEmpty)
		if problem != "" {
			problems[id] = problem
		}
		action, _ := element["action_id"].(string)
		filled[id] = Object{action: state}
	}
	for id := range values {
		if !known[id] {
			problems[id] = "the view has no such input"
		}
	}
	return filled, problems
}

// enter puts a value into one element, and returns its state.
func enter(e Object, value string, mayBeEmpty bool) (Object, string) {
	state := Object{"type": e["type"]}
	if strings.TrimSpace(value) == "" {
		state["value"] = nil
		if mayBeEmpty {
			return state, ""
		}
		return state, "Please complete this required field."
	}
	state["value"] = value
	n := utf8.RuneCountInString(value)
	if least, ok := e["min_length"].(float64); ok && n < int(least) {
		return state, "Please enter more characters."
	}
	most, ok := e["max_length"].(float64)
	if !ok {
		most = maxInputLength
	}
	if n > int(most) {
		return state, "Please enter fewer characters."
	}
	return state, ""
}
