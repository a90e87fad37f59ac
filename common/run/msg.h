/* SPDX-License-Identifier: Apache-2.0 */
/* msg.h - short names for the generated messages.
 *
 * A message is its protobuf-c struct.  It lives in the arena of its batch and goes with it; nobody frees one.  Only codec packs,
 * unpacks and speaks JSON. */
#ifndef RL_MSG_H
#define RL_MSG_H

#include "tom/rl/v1/bandit.pb-c.h"
#include "tom/rl/v1/call.pb-c.h"
#include "tom/rl/v1/common.pb-c.h"
#include "tom/rl/v1/dlq.pb-c.h"
#include "tom/rl/v1/feedback.pb-c.h"
#include "tom/rl/v1/guard.pb-c.h"
#include "tom/rl/v1/policy.pb-c.h"
#include "tom/rl/v1/reward.pb-c.h"
#include "tom/rl/v1/storage.pb-c.h"

typedef Tom__Rl__V1__Error Error;
typedef Tom__Rl__V1__Signals Signals;
typedef Tom__Rl__V1__CallEvent CallEvent;
typedef Tom__Rl__V1__CallEnded CallEnded;
typedef Tom__Rl__V1__CallAmended CallAmended;
typedef Tom__Rl__V1__PolicySelectRequest PolicySelectRequest;
typedef Tom__Rl__V1__PolicySelectReply PolicySelectReply;
typedef Tom__Rl__V1__DecisionGrounds DecisionGrounds;
typedef Tom__Rl__V1__PolicySelected PolicySelected;
typedef Tom__Rl__V1__RouterSessionRequest RouterSessionRequest;
typedef Tom__Rl__V1__RouterSessionReply RouterSessionReply;
typedef Tom__Rl__V1__RouterForgetRequest RouterForgetRequest;
typedef Tom__Rl__V1__RouterForgetReply RouterForgetReply;
typedef Tom__Rl__V1__FeedbackStored FeedbackStored;
typedef Tom__Rl__V1__FeedbackStatsRequest FeedbackStatsRequest;
typedef Tom__Rl__V1__FeedbackStatsReply FeedbackStatsReply;
typedef Tom__Rl__V1__FeedbackByPolicyRequest FeedbackByPolicyRequest;
typedef Tom__Rl__V1__FeedbackByPolicyReply FeedbackByPolicyReply;
typedef Tom__Rl__V1__FeedbackQueryRequest FeedbackQueryRequest;
typedef Tom__Rl__V1__FeedbackQueryReply FeedbackQueryReply;
typedef Tom__Rl__V1__FeedbackCleanupRequest FeedbackCleanupRequest;
typedef Tom__Rl__V1__FeedbackCleanupReply FeedbackCleanupReply;
typedef Tom__Rl__V1__FeedbackEraseRequest FeedbackEraseRequest;
typedef Tom__Rl__V1__FeedbackEraseReply FeedbackEraseReply;
typedef Tom__Rl__V1__FeedbackExportRequest FeedbackExportRequest;
typedef Tom__Rl__V1__FeedbackExportReply FeedbackExportReply;
typedef Tom__Rl__V1__FeedbackReplayRequest FeedbackReplayRequest;
typedef Tom__Rl__V1__FeedbackReplayReply FeedbackReplayReply;
typedef Tom__Rl__V1__FeedbackQuestionRequest FeedbackQuestionRequest;
typedef Tom__Rl__V1__FeedbackQuestionReply FeedbackQuestionReply;
typedef Tom__Rl__V1__FeedbackAnswerRequest FeedbackAnswerRequest;
typedef Tom__Rl__V1__FeedbackAnswerReply FeedbackAnswerReply;
typedef Tom__Rl__V1__RewardComputed RewardComputed;
typedef Tom__Rl__V1__RewardComputeRequest RewardComputeRequest;
typedef Tom__Rl__V1__RewardComputeReply RewardComputeReply;
typedef Tom__Rl__V1__ArmEstimate ArmEstimate;
typedef Tom__Rl__V1__ArmTotal ArmTotal;
typedef Tom__Rl__V1__CellEstimate CellEstimate;
typedef Tom__Rl__V1__BanditUpdated BanditUpdated;
typedef Tom__Rl__V1__BanditChanged BanditChanged;
typedef Tom__Rl__V1__BanditArmStats BanditArmStats;
typedef Tom__Rl__V1__BanditStatsRequest BanditStatsRequest;
typedef Tom__Rl__V1__BanditStatsReply BanditStatsReply;
typedef Tom__Rl__V1__BanditRewardsRequest BanditRewardsRequest;
typedef Tom__Rl__V1__BanditRewardsReply BanditRewardsReply;
typedef Tom__Rl__V1__BanditResetRequest BanditResetRequest;
typedef Tom__Rl__V1__BanditResetReply BanditResetReply;
typedef Tom__Rl__V1__BanditRebuildRequest BanditRebuildRequest;
typedef Tom__Rl__V1__BanditRebuildReply BanditRebuildReply;
typedef Tom__Rl__V1__BanditVersion BanditVersion;
typedef Tom__Rl__V1__BanditVersionArm BanditVersionArm;
typedef Tom__Rl__V1__BanditVersionSwitch BanditVersionSwitch;
typedef Tom__Rl__V1__BanditVersionsRequest BanditVersionsRequest;
typedef Tom__Rl__V1__BanditVersionsReply BanditVersionsReply;
typedef Tom__Rl__V1__BanditSwitchRequest BanditSwitchRequest;
typedef Tom__Rl__V1__BanditSwitchReply BanditSwitchReply;
typedef Tom__Rl__V1__LimitGroup LimitGroup;
typedef Tom__Rl__V1__GuardUpdated GuardUpdated;
typedef Tom__Rl__V1__Stage Stage;
typedef Tom__Rl__V1__DecisionSource DecisionSource;
typedef Tom__Rl__V1__Source Source;
typedef Tom__Rl__V1__Consent Consent;
typedef Tom__Rl__V1__GuardStatusRequest GuardStatusRequest;
typedef Tom__Rl__V1__GuardStatusReply GuardStatusReply;
typedef Tom__Rl__V1__GuardHealthRequest GuardHealthRequest;
typedef Tom__Rl__V1__GuardHealthReply GuardHealthReply;
typedef Tom__Rl__V1__GuardCommandRequest GuardCommandRequest;
typedef Tom__Rl__V1__GuardCommandReply GuardCommandReply;
typedef Tom__Rl__V1__DeadLetter DeadLetter;
typedef Tom__Rl__V1__CallRecord CallRecord;
typedef Tom__Rl__V1__Decision Decision;
typedef Tom__Rl__V1__End End;
typedef Tom__Rl__V1__Knowledge Knowledge;

#endif
