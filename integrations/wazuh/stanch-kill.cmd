@echo off
rem Wazuh starts this with an order on its standard input, which the script reads. The agent is a
rem program of 32 bits: it is led to a PowerShell that sees all processes.
set "shell=%SystemRoot%\Sysnative\WindowsPowerShell\v1.0\powershell.exe"
if not exist "%shell%" set "shell=%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"
"%shell%" -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%~dp0stanch.ps1" kill
