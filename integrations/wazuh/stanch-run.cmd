@echo off
rem Wazuh starts this with an order on its standard input, which the script reads.
powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%~dp0stanch.ps1" run
