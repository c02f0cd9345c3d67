# Limits what one program of this machine sends, by a QoS policy in the active store, which
# is gone after a restart. Stanch has the EDR run it; it prints one line of JSON that says
# what it did and what stands, and exits with 0 (done), 1 (refused, nothing was changed) or
# 2 (failed).
#
# Put it into the EDR's library of scripts. Its arguments hold no blank and no quote:
#
#   -Action     apply, verify or remove
#   -Name       the policy: stanch- and 32 hexadecimal digits
#   -AppPath    the program's full path, as base64url of its UTF-8, without padding
#   -Bps        the rate in bits per second
#   -DstPrefix  one address that it sends to, followed by /32 or /128
#   -DstPort    one port that it sends to
#   -Protocol   TCP, UDP or Both
#   -Until      when the limit ends, in seconds since 1970; later nothing is put in place
#
# apply and verify need -Name, -AppPath and -Bps, remove needs -Name alone. Nothing is ever
# removed or changed but the policy of exactly that name.
param(
    [string]$Action = '',
    [string]$Name = '',
    [string]$AppPath = '',
    [string]$Bps = '0',
    [string]$DstPrefix = '',
    [string]$DstPort = '0',
    [string]$Protocol = 'Both',
    [string]$Until = '0'
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0

# Names of programs are compared in lower case, without .exe and the digits and dots before
# it. Limiting one of these would limit what many services of the machine send, or what it is
# watched and given back by.
$forbidden = @(
    'agentbase', 'aurora-agent', 'axlaunch', 'csfalconcontainer', 'csfalconservice', 'csrss', 'dllhost',
    'elastic-agent', 'elastic-endpoint', 'endpoint-security', 'filebeat', 'lsaiso', 'lsass', 'lsm', 'metricbeat',
    'mpdefendercoreservice', 'msmpeng', 'mssense', 'nissrv', 'ntoskrnl', 'osqueryd', 'ossec-agent',
    'packetbeat', 'registry', 'securityhealthservice', 'sensece', 'sensecncproxy', 'senseir', 'sensendr', 'sentinelagent',
    'sentinelagentworker', 'sentinelhelperservice', 'sentinelservicehost', 'sentinelstaticengine',
    'sentinelstaticenginescanner', 'services', 'smss', 'svchost', 'sysmon', 'system', 'taskhost',
    'taskhostw', 'velociraptor', 'wazuh-agent', 'wininit', 'winlogbeat', 'winlogon', 'wmiprvse', 'wudfhost'
)
# So would any program below a folder with one of these names, which EDRs live in.
$forbiddenFolders = @(
    'crowdstrike', 'elastic', 'elastic-agent', 'microsoft security client', 'ossec-agent', 'sentinelone',
    'stanch', 'windows defender', 'windows defender advanced threat protection'
)
# These run what others wrote: without a destination, all of it would be limited.
$hosting = @(
    'autohotkey', 'autoit', 'bash', 'bun', 'cmd', 'conhost', 'cscript', 'deno', 'dotnet', 'installutil',
    'java', 'javaw', 'lua', 'msbuild', 'mshta', 'msiexec', 'node', 'perl', 'php', 'php-cgi', 'powershell',
    'powershell_ise', 'pwsh', 'py', 'python', 'pythonw', 'regasm', 'regsvcs', 'regsvr', 'ruby', 'rubyw',
    'rundll', 'tclsh', 'w3wp', 'wscript', 'wsl', 'wslhost', 'wslrelay'
)

# A policy without this precedence may be outranked; 255 is the highest.
$precedence = 250
# Windows may keep a rate in steps of so many bits per second, and rounds up to one.
$step = 8192

$answer = [ordered]@{
    stanch = 1; action = ''; name = ''; result = 'failed'; reason = ''; changed = $false; stands = $false
    differs = $false; bps = 0; other = $false; otherBps = 0; competing = 0; detail = ''
}

function Deny([string]$reason) {
    $answer.result = 'refused'
    $answer.reason = $reason
    throw 'refused'
}

function Get-Number([string]$text, [int64]$least, [int64]$most, [string]$reason) {
    if ($text -cnotmatch '\A[0-9]{1,15}\z') { Deny $reason }
    $number = [int64]$text
    if ($number -lt $least -or $number -gt $most) { Deny $reason }
    return $number
}

# An address without the length of its prefix, in the one way in which .NET writes it.
function Get-Address([string]$prefix) {
    $text = $prefix -replace '/(32|128)\z', ''
    if ($text -eq '') { return '' }
    $address = $null
    if ($text.Contains('/') -or -not [System.Net.IPAddress]::TryParse($text, [ref]$address)) { return $prefix }
    return $address.ToString()
}

function Get-Program {
    if ($AppPath -cnotmatch '\A[A-Za-z0-9_-]{8,1400}\z') { Deny 'path' }
    $text = $AppPath.Replace('-', '+').Replace('_', '/')
    $text = $text.PadRight($text.Length + (4 - $text.Length % 4) % 4, '=')
    $path = ''
    try {
        $utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false, $true
        $path = $utf8.GetString([System.Convert]::FromBase64String($text))
    } catch {
        Deny 'path'
    }
    if ($path.Length -gt 255) { Deny 'path' }
    # One drive, no share and no device, no variable, wildcard, stream, relative part, or
    # short name.
    if ($path -cnotmatch '\A[A-Za-z]:(\\[\p{L}\p{M}\p{Nd} ._()\[\]{}+,;=@&#!$^~''-]+)+\z') { Deny 'path' }
    if ($path -notmatch '[^\\]\.exe\z') { Deny 'path' }
    foreach ($part in $path.Substring(3).Split('\')) {
        if ($part -match '\A\.{1,2}\z|\A |[. ]\z|~[0-9]') { Deny 'path' }
    }
    return $path
}

# Which programs are never limited. What stands is read whatever it is of.
function Test-Program([string]$path) {
    $parts = @($path.ToLowerInvariant().Split('\'))
    foreach ($part in $parts) {
        if ($forbiddenFolders -ccontains $part) { Deny 'forbidden' }
    }
    $base = $parts[-1] -creplace '\.exe\z', ''
    $base = $base -creplace '[0-9.]+\z', ''
    if ($forbidden -ccontains $base) { Deny 'forbidden' }
    if ($hosting -ccontains $base -and $DstPrefix -eq '' -and $DstPort -ceq '0') { Deny 'destination' }
}

# The image must be a file, and neither it nor a folder above it may be a link: a policy
# follows none.
function Test-Image([string]$path) {
    $item = Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
    if ($null -eq $item -or $item.PSIsContainer) { Deny 'absent' }
    while ($null -ne $item) {
        if ($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint) { Deny 'link' }
        if ($item -is [System.IO.FileInfo]) { $item = $item.Directory } else { $item = $item.Parent }
    }
}

function Test-Text($left, $right) {
    return [string]::Equals([string]$left, [string]$right, [System.StringComparison]::OrdinalIgnoreCase)
}

# Whether a policy is for exactly the traffic that was asked for.
function Test-Same($policy, [string]$program, [int]$port) {
    $has = [string]$policy.IPProtocolMatchCondition
    if ($has -eq 'None' -or $has -eq '') { $has = 'Both' }
    $end = [int]$policy.IPDstPortEndMatchCondition
    return (Test-Text $policy.AppPathNameMatchCondition $program) -and
        (Test-Text $has $Protocol) -and
        (Get-Address ([string]$policy.IPDstPrefixMatchCondition)) -eq (Get-Address $DstPrefix) -and
        [int]$policy.IPDstPortStartMatchCondition -eq $port -and ($end -eq $port -or $end -eq 0) -and
        [string]$policy.IPSrcPrefixMatchCondition -eq '' -and [int]$policy.IPSrcPortStartMatchCondition -eq 0 -and
        [int]$policy.IPPortMatchCondition -eq 0 -and [string]$policy.UserMatchCondition -eq '' -and
        [string]$policy.URIMatchCondition -eq '' -and [string]$policy.NetworkProfile -eq 'All'
}

# What the active store holds of ours and of others on the program.
function Get-Standing([string]$program, [int]$port) {
    $found = @{ own = $false; same = $false; bps = [int64]0; other = $false; otherBps = [int64]0; outranked = $false; competing = 0 }
    $image = $program.Substring($program.LastIndexOf('\') + 1)
    foreach ($policy in @(Get-NetQosPolicy -PolicyStore ActiveStore)) {
        $rate = [int64]$policy.ThrottleRateAction
        if (Test-Text $policy.Name $Name) {
            $found.own = $true
            $found.bps = $rate
            $found.same = $program -ne '' -and (Test-Same $policy $program $port)
            continue
        }
        if ($rate -le 0 -or $program -eq '') { continue }
        if (Test-Same $policy $program $port) {
            if (-not $found.other -or $rate -lt $found.otherBps) { $found.otherBps = $rate }
            $found.other = $true
            if ([int64]$policy.Precedence -ge $precedence) { $found.outranked = $true }
        } elseif ((Test-Text $policy.AppPathNameMatchCondition $program) -or (Test-Text $policy.AppPathNameMatchCondition $image)) {
            $found.competing++
        }
    }
    return $found
}

function Write-Standing($found) {
    $answer.stands = $found.own -and $found.same
    $answer.differs = $found.own -and -not $found.same
    $answer.bps = $found.bps
    $answer.other = $found.other
    $answer.otherBps = $found.otherBps
    $answer.competing = $found.competing
}

function Remove-Own {
    Remove-NetQosPolicy -Name $Name -PolicyStore ActiveStore -Confirm:$false
    $answer.changed = $true
}

function Add-Own([string]$program, [int64]$rate, [int]$port) {
    $narrowed = @{}
    if ($DstPrefix -ne '') { $narrowed.IPDstPrefixMatchCondition = $DstPrefix }
    if ($port -ne 0) { $narrowed.IPDstPortMatchCondition = $port }
    $null = New-NetQosPolicy -Name $Name -PolicyStore ActiveStore -AppPathNameMatchCondition $program -IPProtocolMatchCondition $Protocol -NetworkProfile All -Precedence $precedence -ThrottleRateActionBitsPerSecond $rate -Confirm:$false @narrowed
    $answer.changed = $true
}

function Invoke-Apply([string]$program, [int64]$rate, [int]$port) {
    $end = Get-Number $Until 0 99999999999 'until'
    if ($end -ne 0 -and [System.DateTimeOffset]::UtcNow.ToUnixTimeSeconds() -ge $end) { Deny 'late' }
    Test-Program $program
    Test-Image $program
    $found = Get-Standing $program $port
    $new = -not $found.own
    if ($new) {
        # Another's limit that is as strict is enough; one that may go before ours is not
        # fought with.
        if ($found.other -and $found.otherBps -lt $rate + $step) {
            Write-Standing $found
            return
        }
        if ($found.outranked) { Deny 'outranked' }
        Add-Own $program $rate $port
    } elseif (-not $found.same) {
        Remove-Own
        Add-Own $program $rate $port
    } elseif ($found.bps -ge $rate + $step -or $found.bps -le 0) {
        Set-NetQosPolicy -Name $Name -PolicyStore ActiveStore -ThrottleRateActionBitsPerSecond $rate -Confirm:$false
        $answer.changed = $true
    }
    $found = Get-Standing $program $port
    if ($answer.changed -and -not ($found.own -and $found.same -and $found.bps -ge $rate -and $found.bps -lt $rate + $step)) {
        # What is there is not what was approved. What was there before is left: a limit that
        # is too loose is better than none.
        $answer.reason = 'readback'
        Write-Standing $found
        if ($new -and $found.own) {
            Remove-Own
            Write-Standing (Get-Standing $program $port)
        }
        throw 'readback'
    }
    Write-Standing $found
}

$code = 2
try {
    if ($args.Count -ne 0) { Deny 'arguments' }
    if (@('apply', 'verify', 'remove') -cnotcontains $Action) { Deny 'action' }
    $answer.action = $Action
    if ($Name -cnotmatch '\Astanch-[0-9a-f]{32}\z') { Deny 'name' }
    $answer.name = $Name
    if ($null -eq (Get-Command -Name New-NetQosPolicy -ErrorAction SilentlyContinue)) { Deny 'unsupported' }
    if ($Action -ceq 'remove') {
        if ((Get-Standing '' 0).own) { Remove-Own }
        Write-Standing (Get-Standing '' 0)
        if ($answer.differs) { throw 'left' }
    } else {
        if (@('TCP', 'UDP', 'Both') -cnotcontains $Protocol) { Deny 'protocol' }
        $port = [int](Get-Number $DstPort 0 65535 'port')
        $rate = Get-Number $Bps 8192 1000000000000 'rate'
        if ($DstPrefix -ne '' -and $DstPrefix -cnotmatch '\A(((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})/32|[0-9a-f:.]{2,45}/128)\z') { Deny 'prefix' }
        if ($DstPrefix -ne '' -and (Get-Address $DstPrefix) -ceq $DstPrefix) { Deny 'prefix' }
        $program = Get-Program
        if ($Action -ceq 'apply') { Invoke-Apply $program $rate $port } else { Write-Standing (Get-Standing $program $port) }
    }
    $answer.result = 'done'
    $code = 0
} catch {
    if ($answer.result -ceq 'refused') {
        $code = 1
    } else {
        if ($answer.reason -eq '') { $answer.reason = 'error' }
        $id = [string]$_.FullyQualifiedErrorId -creplace '[^A-Za-z0-9,._ -]', '?'
        $answer.detail = $id.Substring(0, [System.Math]::Min($id.Length, 120))
    }
}
ConvertTo-Json -InputObject $answer -Compress
exit $code
