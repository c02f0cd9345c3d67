package sentinelonefake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Types of activities, with the numbers of the console.
const (
	userDisconnects    = 61
	userConnects       = 62
	agentDisconnected  = 1001
	agentConnected     = 1002
	agentDidNotObey    = 2010
	firstActivity      = 700000000000000000
	activitiesOfAction = 10
)

// activityText is what the console says of a type.
func activityText(kind int, user, computer string) string {
	switch kind {
	case userDisconnects:
		return "The management user " + user + " issued a disconnect from network command to the machine " + computer + "."
	case userConnects:
		return "The management user " + user + " issued a reconnect to network command to the machine " + computer + "."
	case agentDisconnected:
		return "Agent " + computer + " was disconnected from network."
	case agentConnected:
		return "Agent " + computer + " was connected to network."
	}
	return "Agent " + computer + " was unable to disconnect from network."
}

// kindsOf are the activities that an action has left: the command, and what the
// agent said of it.
func kindsOf(a edrtest.Action) (command, outcome int) {
	command, outcome = userDisconnects, agentDisconnected
	if a.Kind == edrtest.Release {
		command, outcome = userConnects, agentConnected
	}
	switch a.State {
	case edrtest.Done:
	case edrtest.Failed:
		// No type is documented for a reconnect that failed.
		if outcome = 0; a.Kind == edrtest.Isolate {
			outcome = agentDidNotObey
		}
	case edrtest.AwaitsApproval, edrtest.Pending, edrtest.Running, edrtest.Cancelled, edrtest.Expired:
		outcome = 0
	}
	return command, outcome
}

func (d *Double) activities(o Options, r *http.Request) (any, *failure) {
	q := r.URL.Query()
	if f := known(q, "activityTypes", "agentIds", "ids", "userIds", "userEmails", "siteIds", "accountIds", "groupIds", "includeHidden",
		"createdAt__lt", "createdAt__lte", "createdAt__gt", "createdAt__gte"); f != nil {
		return nil, f
	}
	p, f := pagingOf(q, "id", "activityType", "createdAt")
	if f != nil {
		return nil, f
	}
	var items []item
	for i, a := range d.world.Actions("") {
		if a.Kind != edrtest.Isolate && a.Kind != edrtest.Release {
			continue
		}
		host, _ := d.world.Host(a.Host)
		command, outcome := kindsOf(a)
		for k, kind := range []int{command, outcome} {
			at, user := a.Created, any(userID)
			data := map[string]any{"computerName": host.Name, "uuid": UUID(host.ID), "username": a.By}
			if k == 1 {
				at, user, data = a.Updated, nil, map[string]any{"computerName": host.Name}
			} else if a.By != o.User {
				user = "475482955872059999"
			}
			id := strconv.Itoa(firstActivity + i*activitiesOfAction + k)
			if kind == 0 || !wanted(q, id, kind, host.ID, fmt.Sprint(user), at) {
				continue
			}
			items = append(items, item{id, map[string]any{
				"id": id, "activityType": kind, "activityUuid": UUID(id), "agentId": host.ID, "agentUpdatedVersion": nil,
				"accountId": AccountID, "accountName": "acct", "siteId": SiteID, "siteName": "Default site",
				"groupId": agent{Host: host}.groupID(), "groupName": agent{Host: host}.group(), "comments": nil, "createdAt": stamp(at), "updatedAt": stamp(at),
				"data": data, "description": nil, "hash": nil, "osFamily": nil, "threatId": nil, "userId": user,
				"primaryDescription": activityText(kind, a.By, host.Name), "secondaryDescription": nil,
			}})
		}
	}
	return list(o, p, items)
}

// wanted reports whether the parameters of a list match an activity.
func wanted(q url.Values, id string, kind int, agent, user string, at time.Time) bool {
	for name, have := range map[string]string{"ids": id, "activityTypes": strconv.Itoa(kind), "agentIds": agent, "userIds": user} {
		if text := q.Get(name); text != "" && !slices.Contains(strings.Split(text, ","), have) {
			return false
		}
	}
	for suffix, holds := range map[string]func(time.Time) bool{
		"__gt": at.After, "__lt": at.Before,
		"__gte": func(t time.Time) bool { return !at.Before(t) }, "__lte": func(t time.Time) bool { return !at.After(t) },
	} {
		if text := q.Get("createdAt" + suffix); text != "" {
			t, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || !holds(t) {
				return false
			}
		}
	}
	return true
}

func (d *Double) activityTypes(Options, *http.Request) (any, *failure) {
	var types []any
	for kind, action := range map[int]string{
		agentDisconnected: "Agent Disconnected From Network", agentConnected: "Agent Reconnected To Network",
		agentDidNotObey: "Agent Mitigation Report Quarantine Network Failed",
	} {
		types = append(types, map[string]any{"id": kind, "action": action, "descriptionTemplate": activityText(kind, "", "{{ computer_name }}")})
	}
	return map[string]any{"data": types}, nil
}
