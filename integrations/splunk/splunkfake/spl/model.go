package spl

import (
	"slices"
	"strings"
)

// The one data model there is, and its dataset, of which the fields have the name.
const (
	model  = "Network_Traffic"
	prefix = "All_Traffic."
)

// modelled are the fields of the dataset. Others of an event are no part of it.
//
// https://help.splunk.com/data-management/common-information-model/5.1/data-models/network-traffic,
// https://github.com/aplura/splunk-sa-cim default/data/models/Network_Traffic.json
func modelled() []string {
	return []string{
		"action", "app", "bytes", "bytes_in", "bytes_out", "channel", "cim_entity_zone", "dest", "dest_bunit", "dest_category",
		"dest_interface", "dest_ip", "dest_mac", "dest_port", "dest_priority", "dest_translated_ip", "dest_translated_port", "dest_zone",
		"direction", "duration", "dvc", "dvc_bunit", "dvc_category", "dvc_ip", "dvc_mac", "dvc_priority", "dvc_zone", "flow_id", "icmp_code",
		"icmp_type", "packets", "packets_in", "packets_out", "process_guid", "process_id", "protocol", "protocol_version", "response_time",
		"rule", "rule_id", "session_id", "src", "src_bunit", "src_category", "src_interface", "src_ip", "src_mac", "src_port", "src_priority",
		"src_translated_ip", "src_translated_port", "src_zone", "ssid", "tag", "tcp_flag", "tos", "transport", "ttl", "user", "user_bunit",
		"user_category", "user_priority", "vendor_account", "vendor_product", "vlan", "wifi",
	}
}

// calculate sets what the model calculates of an event: a port of 0 and the word unknown where
// there is none, small letters of the transport, and of two directions and their sum the third.
func (r row) calculate() {
	for _, name := range []string{"action", "dest", "dvc", "rule", "src", "transport", "user"} {
		if r[name] == nil {
			r[name] = "unknown"
		}
	}
	r["transport"] = strings.ToLower(text(r["transport"]))
	for _, name := range []string{"src_port", "dest_port"} {
		if _, ok := num(r[name]); !ok {
			r[name] = "0"
		}
	}
	if r["vendor_product"] == nil {
		r["vendor_product"] = r["sourcetype"]
	}
	for _, of := range []string{"bytes", "packets"} {
		r.third(of, of+"_in", of+"_out", 1)
		r.third(of+"_in", of, of+"_out", -1)
		r.third(of+"_out", of, of+"_in", -1)
	}
}

// third sets a count that is no number to the sum, or to the difference, of two that are.
func (r row) third(name, a, b string, sign float64) {
	if _, ok := num(r[name]); ok {
		return
	}
	delete(r, name)
	x, isX := num(r[a])
	y, isY := num(r[b])
	if isX && isY {
		r[name] = x + sign*y
	}
}

// inModel reports whether the tags of an event make it one of network traffic.
func (e *Event) inModel() bool {
	tags := list(e.Fields["tag"])
	return slices.Contains(tags, "network") && slices.Contains(tags, "communicate")
}

// modelRow is an event as the model has it, or nil. Fields have their prefix unless it is
// empty.
func (e *Event) modelRow(with string) row {
	if !e.inModel() {
		return nil
	}
	all := e.row()
	all.calculate()
	r := e.indexed()
	for _, name := range modelled() {
		if v := all[name]; v != nil {
			r[with+name] = v
		}
	}
	nodes := []string{"All_Traffic", "All_Traffic.Traffic_By_Action"}
	for _, action := range list(r[with+"action"]) {
		switch action {
		case "allowed":
			nodes = append(nodes, nodes[1]+".Allowed_Traffic")
		case "blocked":
			nodes = append(nodes, nodes[1]+".Blocked_Traffic")
		}
	}
	r["nodename"] = nodes
	return r
}

// indexed is an event with the fields alone that the index has.
func (e *Event) indexed() row {
	return row{"_time": seconds(e.Time), "index": e.Index, "host": e.Host, "source": e.Source, "sourcetype": e.Sourcetype}
}

// dataset checks the name of a data model, with that of its dataset or without.
func (s *search) dataset(name string) {
	if name != model && name != model+"."+strings.TrimSuffix(prefix, ".") {
		s.fail("Error in 'DataModelCache': Invalid or unaccelerable root object for datamodel")
	}
}

// from reads the events of the data model. Their fields have no prefix.
func (s *search) from(text string) {
	kind, name, ok := strings.Cut(text, ":")
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if !ok || strings.TrimSpace(kind) != "datamodel" {
		s.fail("Error in 'from' command: Invalid dataset specifier '%s'.", text)
	}
	s.dataset(name)
	s.bounds("", "")
	s.events(func(e *Event) row { return s.full(e, "") }, func(row) bool { return true })
}

// full is an event of the model with its text.
func (s *search) full(e *Event, with string) row {
	r := e.modelRow(with)
	if r != nil {
		r["_raw"] = e.raw()
		delete(r, "nodename")
	}
	return r
}

// datamodel reads them with the prefix, or, by flat, without.
func (s *search) datamodel(text string) {
	r := s.reader("datamodel", text)
	names, with := r.names(), prefix
	if len(names) < 3 {
		r.fail("The argument '%s' is invalid: what is given out without a search is not known here.", text)
	}
	switch names[2] {
	case "search":
	case "flat":
		with = ""
	default:
		r.fail("The argument '%s' is invalid.", names[2])
	}
	s.dataset(names[0] + "." + names[1])
	s.bounds("", "")
	s.events(func(e *Event) row { return s.full(e, with) }, func(row) bool { return true })
}

// makeresults gives one row that has the time of now.
func (s *search) makeresults(text string) {
	if text != "" {
		s.fail("Error in 'makeresults' command: The argument '%s' is invalid.", text)
	}
	s.bounds("", "")
	s.rows, s.found.Transforms = []row{{"_time": seconds(s.env.Now)}}, true
}

// tstats counts over the model, or over what the index itself has where no model is named.
//
// Fields of the model have to be named with their prefix: what has another name is in no
// event, without a word. An event without one of the fields by which is grouped is left out,
// unless fillnull_value says otherwise.
//
// https://help.splunk.com/splunk-enterprise/spl-search-reference/10.0/search-commands/tstats
func (s *search) tstats(text string) {
	t := tstats{reader: s.reader("tstats", text)}
	t.read()
	view := (*Event).indexed
	if t.model != "" {
		s.dataset(t.model)
		view = func(e *Event) row {
			if t.summaries && !e.Time.Before(s.env.Summarized) {
				return nil
			}
			return e.modelRow(prefix)
		}
	}
	where, said := s.parse("tstats", t.where)
	if t.model == "" && !said.indexes {
		where = both(where, func(r row) bool { return slices.Contains(s.env.Indexes, list(r["index"])[0]) })
	}
	s.bounds(said.earliest, said.latest)
	s.events(view, where)
	for _, r := range s.rows {
		if at, ok := num(r["_time"]); ok && t.span > 0 {
			r["_time"] = s.binned(at, t.span)
		}
		for _, name := range t.by {
			if r[name] == nil && t.fill != "" {
				r[name] = t.fill
			}
		}
	}
	s.aggregate(t.aggregates, t.by)
}

func both(a, b condition) condition { return func(r row) bool { return a(r) && b(r) } }
