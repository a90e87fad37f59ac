-- SPDX-License-Identifier: Apache-2.0
-- tom.lua - a FreeSWITCH call that greets as the router says and tells how it went, through rlctl.
--
--     <action application="lua" data="/opt/tom-rl/examples/freeswitch/tom.lua kfz"/>            in the dialplan; the argument is the profile
--     RL_NATS_USER=voice RL_NATS_PASSWORD_FILE=/etc/tom/voice.password RLCTL=/opt/tom-rl/rl      in FreeSWITCH's environment (RL_NATS_URL elsewhere)
--
-- rlctl sets the inbox prefix _INBOX_voice itself.  Names were checked against the source of FreeSWITCH 1.10.9, the logic is played by plain Lua
-- (e2e.examples.freeswitch); it was not run in FreeSWITCH.  `system` must not be disabled in switch.conf.
local api, json, uuid = freeswitch.API(), freeswitch.JSON(), session:get_uuid()
local profile = (argv[1] or "general"):gsub("[^%w_]", "")  -- nothing else reaches the shell: a uuid is one, the rest are our own words
local ours = { policy_variant = "v1a", parameters = { greeting = "Guten Tag, hier ist Tom. Was kann ich für Sie tun?" } }

local function rlctl(arguments) return (os.getenv("RLCTL") or "rlctl") .. " " .. arguments .. " --json" end

-- In the background, until the bus keeps it.  Trying again is safe: a call counts once however often it is told.
local function tell(arguments)
  api:execute("bg_system", "for wait in 1 5 30 300 0; do " .. rlctl(arguments) .. " && break; sleep $wait; done")
end

-- How to speak.  After 300 ms, or with an error, our own default speaks.
local function choose()
  local reply = json:decode(api:execute("system", "timeout 0.3 " .. rlctl("select " .. uuid .. " --profile " .. profile)) or "")
  if reply and not reply.error then return reply end
  freeswitch.consoleLog("WARNING", "policy.select: no answer; our default speaks\n")
  return ours
end

local choice, started = choose(), os.time()
session:answer()
session:set_tts_params("flite", "slt")
session:speak(choice.parameters.greeting)
-- ... the conversation: count barge-ins, and leave the outcome nil while nobody has said it ...
local barge_ins, resolved = 1, true
session:speak("Wie zufrieden waren Sie, von 1 bis 5?")
local digit = session:getDigits(1, "#", 5000)
if digit:match("^[1-5]$") then tell("amend " .. uuid .. " --source user --rating " .. digit) end
session:hangup()
if resolved ~= nil then -- a script goes on after the caller hung up
  tell(("end %s --variant %s --%s --barge-ins %d --duration %d"):format(
    uuid, choice.policy_variant, resolved and "resolved" or "unresolved", barge_ins, os.time() - started))
end
