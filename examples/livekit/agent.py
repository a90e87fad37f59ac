# SPDX-License-Identifier: Apache-2.0
# agent.py - a LiveKit agent that greets as the router says and tells how the call went.
#
#     pip install livekit-agents nats-py && PYTHONPATH=examples/python python3 examples/livekit/agent.py dev
#     LiveKit's own variables, and RL_NATS_URL, RL_NATS_PASSWORD_FILE; user and inbox prefix stand in examples/python/voice.py
#
# Every name was checked against the source of livekit-agents 1.7.0; it was not run against a LiveKit server.
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, RunContext, cli, function_tool, inference
from voice import Voice

class Assistant(Agent):
    def __init__(self, slots):
        super().__init__(instructions=f"Du bist Tom am Telefon. Ton: {slots['tone']}. Länge der Antworten: {slots['length']}.")
        self.greeting = slots["greeting"]

    async def on_enter(self):
        self.session.say(self.greeting)

    @function_tool
    async def note_outcome(self, context: RunContext, solved: bool) -> str:
        """Call this once, when the caller says whether the problem is solved; not before."""
        context.userdata["signals"]["resolution"] = solved
        return "noted"

    @function_tool
    async def note_rating(self, context: RunContext, rating: int) -> str:
        """Call this when the caller rates the call from 1 (bad) to 5 (good)."""
        await context.userdata["voice"].rated(context.userdata["call_id"], rating)
        return "noted"

async def on_session_end(ctx: JobContext):
    report, call = ctx.make_session_report(), ctx.primary_session.userdata
    signals = call["signals"]
    signals["duration_sec"] = report.timestamp - report.started_at
    signals["barge_in_count"] = min(10, sum(item.type == "message" and item.interrupted for item in report.chat_history.items))
    if "resolution" in signals:  # unknown is not false: a call of which nobody says how it went is not told
        await call["voice"].ended(call["call_id"], call["variant"], **signals)

server = AgentServer()

@server.rtc_session(on_session_end=on_session_end)
async def entrypoint(ctx: JobContext):
    voice, call_id = Voice(), ctx.job.id  # a room's name may come again, a job's id does not
    choice = await voice.choose(call_id, "general")
    session = AgentSession(userdata={"voice": voice, "call_id": call_id, "variant": choice["policy_variant"], "signals": {}},
                           stt=inference.STT("deepgram/nova-3", language="de"), llm=inference.LLM("openai/gpt-4.1-mini"),
                           tts=inference.TTS("cartesia/sonic-3"))
    await session.start(agent=Assistant(choice["parameters"]), room=ctx.room)

if __name__ == "__main__":
    cli.run_app(server)
